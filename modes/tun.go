package modes

import (
	"encoding/binary"
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
)

// IP protocol numbers of an encapsulated packet (RFC 2003, RFC 2473, RFC 4213).
const (
	protoIPv4 = 4
	protoIPv6 = 41
)

// TunOverhead is how many bytes Tun adds for an outer source of this family.
func TunOverhead(local netip.Addr) int {
	if local.Is4() {
		return packet.IPv4Len
	}
	return packet.IPv6Len
}

// Tun puts the packet into a new IP header from local to remote, both of one
// family; the inner packet may be of either. Its TTL is decremented and becomes
// the outer one, TOS (traffic class) and, from IPv4 to IPv4, DF are copied,
// as Linux IPVS does. It trims Ethernet padding, for an inner packet must end
// where the outer one does, and moves the Ethernet header, whose EtherType it
// sets, to the new front; p describes the outer packet afterwards. id is the
// IPv4 identification for packets that may be fragmented. It reports false, and
// has changed nothing, when the buffer has no room in front.
func Tun(b *packet.Buf, p *packet.Parsed, local, remote netip.Addr, id uint16) bool {
	size := TunOverhead(local)
	if b.Headroom() < size {
		return false
	}
	b.Trim(int(p.End))
	b.Prepend(size)
	frame := b.Bytes()
	copy(frame, frame[size:size+int(p.L3)])
	inner := int(p.L3) + size
	tos, ttl, df := innerHeader(frame[inner:], p.IPv6)
	proto, length := uint8(protoIPv4), p.Len()
	if p.IPv6 {
		proto = protoIPv6
	}
	outer := frame[p.L3:]
	if local.Is4() {
		outer4(outer, local, remote, length, tos, ttl, proto, df, id)
		binary.BigEndian.PutUint16(frame[p.L3-2:], packet.EtherTypeIPv4)
	} else {
		outer6(outer, local, remote, length, tos, ttl, proto)
		binary.BigEndian.PutUint16(frame[p.L3-2:], packet.EtherTypeIPv6)
	}
	p.End += uint16(size)
	return true
}

// innerHeader decrements the TTL and tells what the outer header takes over.
func innerHeader(inner []byte, ipv6 bool) (tos, ttl uint8, df bool) {
	if ipv6 {
		ip := (*packet.IPv6)(inner)
		ip.DecrementHopLimit()
		return ip.TrafficClass(), ip.HopLimit(), false
	}
	ip := (*packet.IPv4)(inner)
	ip.DecrementTTL()
	return ip.TOS(), ip.TTL(), ip.DontFragment()
}

func outer4(outer []byte, local, remote netip.Addr, length int, tos, ttl, proto uint8, df bool, id uint16) {
	h := (*packet.IPv4)(outer)
	*h = packet.IPv4{0: 0x45, 1: tos, 8: ttl, 9: proto}
	binary.BigEndian.PutUint16(h[2:4], uint16(packet.IPv4Len+length))
	if df {
		h[6] = 0x40
	} else {
		binary.BigEndian.PutUint16(h[4:6], id)
	}
	src, dst := local.As4(), remote.As4()
	copy(h[12:16], src[:])
	copy(h[16:20], dst[:])
	binary.LittleEndian.PutUint16(h[10:12], packet.Checksum(packet.Sum(h[:])))
}

func outer6(outer []byte, local, remote netip.Addr, length int, tos, ttl, proto uint8) {
	h := (*packet.IPv6)(outer)
	*h = packet.IPv6{0: 0x60 | tos>>4, 1: tos << 4, 6: proto, 7: ttl}
	binary.BigEndian.PutUint16(h[4:6], uint16(length))
	src, dst := local.As16(), remote.As16()
	copy(h[8:24], src[:])
	copy(h[24:40], dst[:])
}
