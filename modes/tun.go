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
	b.Trim(int(p.End) + size)
	frame := b.Bytes()
	var in packet.Inner
	decrement(&in, frame[int(p.L3)+size:], p.IPv6)
	in.Len = p.Len()
	outer := frame[p.L3:]
	if size == packet.IPv4Len {
		o.Put4(outer, &in, id)
	} else {
		o.Put6(outer, &in)
	}
	binary.LittleEndian.PutUint16(frame[p.L3-2:], o.EtherType())
	p.End += uint16(size)
	return true
}

// decrement decrements the TTL of the inner packet and reads what the outer header
// takes over.
func decrement(in *packet.Inner, inner []byte, ipv6 bool) {
	if ipv6 {
		ip := (*packet.IPv6)(inner)
		ip.DecrementHopLimit()
		in.Proto, in.TOS, in.TTL, in.DF = protoIPv6, ip.TrafficClass(), ip.HopLimit(), false
		return
	}
	ip := (*packet.IPv4)(inner)
	ip.DecrementTTL()
	in.Proto, in.TOS, in.TTL, in.DF = protoIPv4, ip.TOS(), ip.TTL(), ip.DontFragment()
}
