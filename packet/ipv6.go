package packet

import "encoding/binary"

// IPv6 is an IPv6 header without extension headers (RFC 8200 section 3).
type IPv6 [IPv6Len]byte

// IPv6At views the header at off.
func IPv6At(frame []byte, off uint8) *IPv6 { return (*IPv6)(frame[off:]) }

// Version is 6 in a valid header.
func (h *IPv6) Version() uint8 { return h[0] >> 4 }

// TrafficClass is what IPv4 calls TOS.
func (h *IPv6) TrafficClass() uint8 { return uint8(binary.BigEndian.Uint16(h[0:2]) >> 4) }

// PayloadLen is the length of everything behind this header, in bytes.
func (h *IPv6) PayloadLen() int { return int(binary.BigEndian.Uint16(h[4:6])) }

// HopLimit is what IPv4 calls TTL.
func (h *IPv6) HopLimit() uint8 { return h[7] }

// DecrementHopLimit decrements it; there is no checksum to update.
func (h *IPv6) DecrementHopLimit() { h[7]-- }

// AddrsRaw is source (first two words) and destination (last two).
func (h *IPv6) AddrsRaw() [4]uint64 {
	return [4]uint64{
		binary.LittleEndian.Uint64(h[8:16]), binary.LittleEndian.Uint64(h[16:24]),
		binary.LittleEndian.Uint64(h[24:32]), binary.LittleEndian.Uint64(h[32:40]),
	}
}

// Words is AddrsRaw in four values, which stay in registers.
func (h *IPv6) Words() (a, b, c, d uint64) {
	return binary.LittleEndian.Uint64(h[8:16]), binary.LittleEndian.Uint64(h[16:24]),
		binary.LittleEndian.Uint64(h[24:32]), binary.LittleEndian.Uint64(h[32:40])
}

// HasAddrs says whether the addresses are these, as AddrsRaw has them.
func (h *IPv6) HasAddrs(a *[4]uint64) bool {
	return binary.LittleEndian.Uint64(h[8:16]) == a[0] && binary.LittleEndian.Uint64(h[16:24]) == a[1] &&
		binary.LittleEndian.Uint64(h[24:32]) == a[2] && binary.LittleEndian.Uint64(h[32:40]) == a[3]
}

// ForwardReversed is Forward with source and destination exchanged.
func (h *IPv6) ForwardReversed(a *[4]uint64) {
	h[7]--
	binary.LittleEndian.PutUint64(h[8:16], a[2])
	binary.LittleEndian.PutUint64(h[16:24], a[3])
	binary.LittleEndian.PutUint64(h[24:32], a[0])
	binary.LittleEndian.PutUint64(h[32:40], a[1])
}

// Forward decrements the hop limit and stores the addresses. Checksums of the
// payload cover the addresses and have to be updated beside.
func (h *IPv6) Forward(addrs *[4]uint64) {
	h[7]--
	h.SetAddrs(addrs)
}

// SetAddrs stores the addresses alone; checksums of the payload go stale.
func (h *IPv6) SetAddrs(addrs *[4]uint64) {
	for i, word := range addrs {
		binary.LittleEndian.PutUint64(h[8+8*i:], word)
	}
}
