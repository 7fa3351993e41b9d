package modes

import (
	"encoding/binary"

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
// tells where the outer packet ends afterwards. id is the IPv4 identification for
// packets that may be fragmented. It reports false, and has changed nothing, when
// the buffer has no room in front.
func Tun(b *packet.Buf, p *packet.Parsed, o *packet.Outer, id uint16) bool {
	size := o.Size()
	if !b.Prepend(size) {
		return false
	}
	length, front := p.Len(), int(p.L3)-2
	p.End += uint16(size)
	b.Trim(int(p.End))
	frame := b.Bytes()[front:] // from the EtherType on
	binary.LittleEndian.PutUint16(frame, o.EtherType())
	in := inner(frame[2+size:], p.IPv6)
	if size == packet.IPv4Len {
		o.Put4((*packet.IPv4)(frame[2:]), length, in, id)
	} else {
		o.Put6((*packet.IPv6)(frame[2:]), length, in)
	}
	return true
}

// inner decrements the TTL of the packet inside and reads what the outer header
// takes over.
func inner(b []byte, ipv6 bool) packet.Inner {
	if ipv6 {
		ip := (*packet.IPv6)(b)
		ip.DecrementHopLimit()
		return packet.Inner{Proto: protoIPv6, TOS: ip.TrafficClass(), TTL: ip.HopLimit()}
	}
	ip := (*packet.IPv4)(b)
	ip.DecrementTTL()
	return packet.Inner{Proto: protoIPv4, TOS: ip.TOS(), TTL: ip.TTL(), DF: ip.DontFragment()}
}
