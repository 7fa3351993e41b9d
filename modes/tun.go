package modes

import (
	"encoding/binary"
	"math"

	"github.com/sluice-lb/sluice/packet"
)

// IP protocol numbers of an encapsulated packet (RFC 2003, RFC 2473, RFC 4213).
const (
	protoIPv4 = 4
	protoIPv6 = 41
)

// Tun puts the packet into the outer header o; both may be of either family. The
// packet's TTL is decremented and becomes the outer one, TOS (traffic class) and,
// from IPv4 to IPv4, DF are copied, as Linux IPVS does. It trims Ethernet padding,
// for an inner packet must end where the outer one does, and sets the EtherType in
// front of the outer header; the rest of the Ethernet header is the caller's. p
// tells where the outer packet ends afterwards. id is the IPv4 identification, raw,
// for packets that may be fragmented. It reports false, and has changed nothing,
// when the buffer has no room in front.
func Tun(b *packet.Buf, p *packet.Parsed, o *packet.Outer, id uint16) bool {
	length, front := uint16(p.Len()), int(p.L3)-2
	if !b.Wrap(p.End, o.Size(), math.MaxUint16) {
		return false
	}
	p.End += o.Size()
	frame := b.Bytes()[front:] // from the EtherType on
	binary.LittleEndian.PutUint16(frame, o.EtherType())
	var first, fragment, life uint32
	if inside := frame[2+o.Size():]; p.IPv6 {
		first, fragment, life = Inner6((*packet.IPv6)(inside), id)
	} else {
		first, fragment, life = Inner4((*packet.IPv4)(inside), id)
	}
	if o.Size() == packet.IPv4Len {
		o.Put4((*packet.IPv4)(frame[2:]), length, first, fragment, life)
	} else {
		o.Put6((*packet.IPv6)(frame[2:]), length, first, life)
	}
	return true
}

// Inner4 decrements the TTL of the packet inside and returns what the outer header
// takes over, as packet.Outer.Put4 wants it.
func Inner4(ip *packet.IPv4, id uint16) (first, fragment, life uint32) {
	const df = 0x40 << 16
	head := binary.LittleEndian.Uint64(ip[:8])
	if fragment = uint32(id); head&(df<<32) != 0 {
		fragment = df // and no identification (RFC 6864)
	}
	ip.DecrementTTL()
	return 0x45 | uint32(head&0xff00), fragment, protoIPv4<<8 | uint32(ip.TTL())
}

// Inner6 is Inner4 for IPv6, which has no DF to take over.
func Inner6(ip *packet.IPv6, id uint16) (first, fragment, life uint32) {
	ip.DecrementHopLimit()
	return 0x45 | uint32(ip.TrafficClass())<<8, uint32(id), protoIPv6<<8 | uint32(ip.HopLimit())
}
