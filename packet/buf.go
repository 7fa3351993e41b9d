package packet

import "unsafe"

// Buf mirrors struct rte_mbuf of DPDK 22.11, so that Go reads and writes a
// packet buffer without crossing into C. Only the first cache line and the
// fields that single-segment forwarding needs are named. Package dpdk checks
// every offset against the C compiler's at build time.
//
// A Buf obtained from a Port or a Pool belongs to whoever holds the pointer:
// it ends in exactly one Port.Tx, Pool.Free or Ring.Push.
type Buf struct {
	addr    unsafe.Pointer // start of the buffer, headroom included
	_       uint64         // buf_iova
	dataOff uint16         // bytes from addr to the frame's first byte
	refCnt  uint16         // at most 1 here: nothing is cloned
	nbSegs  uint16         // 1, or the gate drops the frame
	Port    uint16         // place among the worker's ports of the one that received the frame
	olFlags uint64         // offload flags: 0 on transmit
	_       uint32         // packet_type: unused, parse decides
	pktLen  uint32         // bytes in all segments
	dataLen uint16         // bytes in this segment
	vlanTCI uint16         // valid iff VLAN stripping were on; it is off
	RSSHash uint32         // what the device computed; valid iff HasRSSHash
	_       uint32
	_       uint16
	bufLen  uint16  // bytes from addr to the end of the buffer
	pool    uintptr // struct rte_mempool *
	_       [64]byte
}

// olRSSHash is RTE_MBUF_F_RX_RSS_HASH.
const olRSSHash = 1 << 1

// Bytes is the frame, from the first byte of the Ethernet header. The slice
// aliases the buffer and is valid while the Buf is held.
func (b *Buf) Bytes() []byte {
	return (*[1 << 16]byte)(unsafe.Add(b.addr, b.dataOff))[:b.dataLen:b.dataLen]
}

// Head is the frame's first bytes, for frames that Parse found plain: they have
// that many.
func (b *Buf) Head() *[PlainLen]byte { return (*[PlainLen]byte)(unsafe.Add(b.addr, b.dataOff)) }

// Head6 is Head for IPv6.
func (b *Buf) Head6() *[Plain6Len]byte { return (*[Plain6Len]byte)(unsafe.Add(b.addr, b.dataOff)) }

// TCP6 is the TCP header of a frame that Parse found to be plain IPv6 with TCP.
func (b *Buf) TCP6() *TCP {
	return (*TCP)(unsafe.Add(b.addr, uintptr(b.dataOff)+EthernetLen+IPv6Len))
}

// Len is the frame's length in bytes, without FCS.
func (b *Buf) Len() int { return int(b.dataLen) }

// Headroom is how many bytes Prepend can still take.
func (b *Buf) Headroom() int { return int(b.dataOff) }

// Tailroom is how many bytes can still follow the frame.
func (b *Buf) Tailroom() int { return int(b.bufLen) - int(b.dataOff) - int(b.dataLen) }

// Segments is the number of chained buffers; the gate accepts 1 only.
func (b *Buf) Segments() int { return int(b.nbSegs) }

// HasRSSHash says whether the device delivered RSSHash with this frame.
func (b *Buf) HasRSSHash() bool { return b.olFlags&olRSSHash != 0 }

// Prepend grows the frame by n bytes at the front; their content is
// undefined. It reports false, and changes nothing, when the headroom is less.
func (b *Buf) Prepend(n int) bool {
	if n < 0 || n > int(b.dataOff) {
		return false
	}
	b.dataOff -= uint16(n)
	b.dataLen += uint16(n)
	b.pktLen += uint32(n)
	return true
}

// Wrap trims the frame to end bytes, which it must have, and grows it by n at the
// front, whose content is undefined. It reports false, and changes nothing, when the
// headroom is less or the frame would be longer than limit.
func (b *Buf) Wrap(end, n uint16, limit uint32) bool {
	length := uint32(end) + uint32(n)
	if n > b.dataOff || length > limit {
		return false
	}
	b.dataOff -= n
	b.dataLen = uint16(length)
	b.pktLen = length
	return true
}

// Cut removes n bytes from the front. It changes nothing when the frame is
// shorter.
func (b *Buf) Cut(n int) {
	if n >= 0 && n <= int(b.dataLen) {
		b.dataOff += uint16(n)
		b.dataLen -= uint16(n)
		b.pktLen -= uint32(n)
	}
}

// Trim cuts the frame to n bytes. It changes nothing when the frame is shorter.
func (b *Buf) Trim(n int) {
	if n >= 0 && n < int(b.dataLen) {
		b.dataLen = uint16(n)
		b.pktLen = uint32(n)
	}
}

// SetLen sets the frame's length to n bytes, up to what the buffer can hold
// behind its headroom; it reports false, and changes nothing, beyond that.
func (b *Buf) SetLen(n int) bool {
	if n < 0 || n > int(b.bufLen)-int(b.dataOff) {
		return false
	}
	b.dataLen = uint16(n)
	b.pktLen = uint32(n)
	return true
}

// NewBuf makes a Buf over Go memory for tests and fakes: size bytes in all, the
// frame empty behind headroom bytes. It panics when headroom exceeds size.
func NewBuf(size, headroom int) *Buf {
	if headroom > size || size > 65535 {
		panic("packet: NewBuf: headroom or size out of range")
	}
	mem := make([]byte, size+1) // an empty frame at the end points into it, too
	return &Buf{addr: unsafe.Pointer(&mem[0]), dataOff: uint16(headroom), refCnt: 1, nbSegs: 1, bufLen: uint16(size)}
}
