package packet

import (
	"encoding/binary"
	"net/netip"
)

// Outer is the outer IP header of a tunnel, as far as it does not depend on what
// is inside. The zero value is none.
type Outer struct {
	addrs [4]uint64 // raw, as in the header; of IPv4 the first word alone
	sum   uint32    // IPv4: of addrs, in 16-bit words, not folded
	size  uint8     // bytes of the header
}

// NewOuter is the header from one address to another of the same family.
func NewOuter(from, to netip.Addr) Outer {
	if from.Is4() {
		src, dst := from.As4(), to.As4()
		addrs := uint64(binary.LittleEndian.Uint32(src[:])) | uint64(binary.LittleEndian.Uint32(dst[:]))<<32
		return Outer{[4]uint64{addrs}, uint32(Fold(addrs)), IPv4Len}
	}
	src, dst := from.As16(), to.As16()
	return Outer{[4]uint64{
		binary.LittleEndian.Uint64(src[:8]), binary.LittleEndian.Uint64(src[8:]),
		binary.LittleEndian.Uint64(dst[:8]), binary.LittleEndian.Uint64(dst[8:]),
	}, 0, IPv6Len}
}

// Size is the length of the header in bytes.
func (o *Outer) Size() int { return int(o.size) }

// EtherType is that of the header's family, raw.
func (o *Outer) EtherType() uint16 {
	if o.size == IPv4Len {
		return EtherTypeIPv4>>8 | EtherTypeIPv4<<8&0xffff
	}
	return EtherTypeIPv6>>8 | EtherTypeIPv6<<8&0xffff
}

// Inner is what an outer header takes over of the packet inside. Four fields, so
// that it stays in registers.
type Inner struct {
	Proto uint8
	TOS   uint8 // traffic class
	TTL   uint8 // hop limit
	DF    bool  // don't fragment
}

// Put4 writes an IPv4 header in front of length bytes. id is its identification,
// which only packets that may be fragmented need (RFC 6864).
func (o *Outer) Put4(h *IPv4, length int, in Inner, id uint16) {
	fragment := uint64(id>>8|id<<8) << 32
	if in.DF {
		fragment = 0x40 << 48
	}
	size := uint16(IPv4Len + length)
	head := 0x45 | uint64(in.TOS)<<8 | uint64(size>>8|size<<8)<<16 | fragment
	ttl := uint64(in.TTL) | uint64(in.Proto)<<8
	sum := Checksum(Fold(head>>32 + head&0xffffffff + ttl + uint64(o.sum)))
	binary.LittleEndian.PutUint64(h[0:8], head)
	binary.LittleEndian.PutUint32(h[8:12], uint32(ttl)|uint32(sum)<<16)
	binary.LittleEndian.PutUint64(h[12:20], o.addrs[0])
}

// Put6 writes an IPv6 header in front of length bytes.
func (o *Outer) Put6(h *IPv6, length int, in Inner) {
	size := uint16(length)
	head := uint64(0x60|in.TOS>>4) | uint64(in.TOS<<4)<<8 | uint64(size>>8|size<<8)<<32 | uint64(in.Proto)<<48 | uint64(in.TTL)<<56
	binary.LittleEndian.PutUint64(h[0:8], head)
	h.SetAddrs(&o.addrs)
}
