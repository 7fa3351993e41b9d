package packet

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Outer is the outer IP header of a tunnel, as far as it does not depend on what
// is inside. The zero value is none.
type Outer struct {
	sum   uint32   // IPv4: of addrs, in 16-bit words, folded
	size  uint16   // bytes of the header
	kind  uint16   // EtherType, raw
	addrs [32]byte // as in the header; of IPv4 the first 8 alone
}

// NewOuter is the header from one address to another of the same family.
func NewOuter(from, to netip.Addr) Outer {
	o := Outer{size: IPv6Len, kind: bits.ReverseBytes16(EtherTypeIPv6)}
	n := copy(o.addrs[:], from.AsSlice())
	n += copy(o.addrs[n:], to.AsSlice())
	if from.Is4() {
		o.size, o.kind, o.sum = IPv4Len, bits.ReverseBytes16(EtherTypeIPv4), uint32(Sum(o.addrs[:n]))
	}
	return o
}

// Size is the length of the header in bytes.
func (o *Outer) Size() uint16 { return o.size }

// EtherType is that of the header's family, raw.
func (o *Outer) EtherType() uint16 { return o.kind }

// Put4 writes an IPv4 header in front of length bytes. The rest of its first three
// words, raw: first has version, header length and TOS; fragment identification and
// DF; life TTL and protocol.
func (o *Outer) Put4(h *IPv4, length uint16, first, fragment, life uint32) {
	size := uint32(bits.ReverseBytes16(IPv4Len + length))
	sum := first + size + fragment + life + o.sum
	binary.LittleEndian.PutUint64(h[0:8], uint64(size<<16|first)|uint64(fragment)<<32)
	binary.LittleEndian.PutUint32(h[8:12], life|^(sum+bits.RotateLeft32(sum, 16))&^0xffff) // as Checksum(Fold(sum))<<16
	*(*[8]byte)(h[12:20]) = [8]byte(o.addrs[:8])
}

// Put6 writes an IPv6 header in front of length bytes; first and life are as for an
// IPv4 header.
func (o *Outer) Put6(h *IPv6, length uint16, first, life uint32) {
	head := 6<<60 | uint64(first>>8)<<52 | uint64(length)<<16 | uint64(life)
	binary.LittleEndian.PutUint64(h[0:8], bits.ReverseBytes64(head))
	*(*[32]byte)(h[8:40]) = o.addrs
}
