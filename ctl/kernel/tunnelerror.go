package kernel

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// ICMP types and sizes; RFC 792, RFC 1191, RFC 4443.
const (
	unreachable4 = 3
	needsSmaller = 4 // code of unreachable4
	tooBig6      = 2
	icmpLen      = 8

	leastMTU4, leastMTU6 = 68, 1280 // what every host takes: RFC 791, RFC 8200
	mostError4           = 576      // bytes of an error, as packet sent by us: RFC 1812
	mostError6           = 1280
)

// tunnelError is what a router said about a packet that held another one: it
// was larger than mtu bytes.
type tunnelError struct {
	mtu      int // what fits into the tunnel: without the outer header
	from, to netip.Addr
	inner    []byte // what was quoted of the packet inside
	inner6   bool
}

// tunnelError4 reads an ICMP message of IPv4.
func tunnelError4(icmp []byte) (e tunnelError, ok bool) {
	if len(icmp) < icmpLen+packet.IPv4Len || icmp[0] != unreachable4 || icmp[1] != needsSmaller || packet.Sum(icmp) != 0xffff {
		return e, false
	}
	quote := icmp[icmpLen:]
	if words := int(icmp[5]); words > 0 { // what follows is no part of the packet: RFC 4884
		quote = quote[:min(4*words, len(quote))]
	}
	ip := (*packet.IPv4)(quote)
	size := ip.HeaderLen()
	if ip.Version() != 4 || size < packet.IPv4Len || len(quote) < size || ip.LaterFragment() || !holds(ip.Proto()) {
		return e, false
	}
	from, to := netip.AddrFrom4([4]byte(quote[12:16])), netip.AddrFrom4([4]byte(quote[16:20]))
	mtu := int(binary.BigEndian.Uint16(icmp[6:8]))
	return tunnelError{mtu - size, from, to, quote[size:], ip.Proto() == unix.IPPROTO_IPV6}, true
}

// tunnelError6 reads one of IPv6, whose checksum the kernel has looked at. Our
// outer headers have no extension headers.
func tunnelError6(icmp []byte) (e tunnelError, ok bool) {
	if len(icmp) < icmpLen+packet.IPv6Len || icmp[0] != tooBig6 || !holds(icmp[icmpLen+6]) {
		return e, false
	}
	quote := icmp[icmpLen:]
	from, to := netip.AddrFrom16([16]byte(quote[8:24])), netip.AddrFrom16([16]byte(quote[24:40]))
	mtu := int(min(binary.BigEndian.Uint32(icmp[4:8]), 65535))
	return tunnelError{mtu - packet.IPv6Len, from, to, quote[packet.IPv6Len:], quote[6] == unix.IPPROTO_IPV6}, true
}

// holds says whether a protocol is that of a packet inside another.
func holds(proto byte) bool { return proto == unix.IPPROTO_IPIP || proto == unix.IPPROTO_IPV6 }

// forClient is the error as the client has to hear it, a whole IP packet: from the
// virtual address, about the packet that it sent. There is one only if end is
// relayPassed: a tunnel is ours, and the client can send less and did not.
func (e *tunnelError) forClient(ours Tunnels) (said []byte, client netip.Addr, end relayed) {
	if e.inner6 {
		return e.forClient6(ours)
	}
	if len(e.inner) < packet.IPv4Len {
		return nil, client, relayNothing
	}
	ip := (*packet.IPv4)(e.inner)
	size, total := ip.HeaderLen(), int(binary.BigEndian.Uint16(e.inner[2:4]))
	if ip.Version() != 4 || size < packet.IPv4Len {
		return nil, client, relayNotOurs // we send none such
	}
	if len(e.inner) < size+8 || ip.LaterFragment() {
		return nil, client, relayNothing // no ports
	}
	client, vip := netip.AddrFrom4([4]byte(e.inner[12:16])), netip.AddrFrom4([4]byte(e.inner[16:20]))
	if !ours(e.from, e.to, keyOf(ip.Proto(), vip, e.inner[size:])) {
		return nil, client, relayNotOurs
	}
	if !ip.DontFragment() || e.mtu < leastMTU4 || total <= e.mtu {
		return nil, client, relayNothing
	}
	quote := e.inner[:min(len(e.inner), total, mostError4-packet.IPv4Len-icmpLen)]
	return answer4(vip, client, uint16(e.mtu), quote), client, relayPassed
}

// forClient6 is forClient for a packet of IPv6. One behind extension headers is not
// looked for.
func (e *tunnelError) forClient6(ours Tunnels) (said []byte, client netip.Addr, end relayed) {
	if len(e.inner) < packet.IPv6Len+8 {
		return nil, client, relayNothing
	}
	total := packet.IPv6Len + int(binary.BigEndian.Uint16(e.inner[4:6]))
	client, vip := netip.AddrFrom16([16]byte(e.inner[8:24])), netip.AddrFrom16([16]byte(e.inner[24:40]))
	if e.inner[0]>>4 != 6 || !ours(e.from, e.to, keyOf(e.inner[6], vip, e.inner[packet.IPv6Len:])) {
		return nil, client, relayNotOurs
	}
	if e.mtu < leastMTU6 || total <= e.mtu {
		return nil, client, relayNothing
	}
	quote := e.inner[:min(len(e.inner), total, mostError6-packet.IPv6Len-icmpLen)]
	return answer6(vip, client, uint16(e.mtu), quote), client, relayPassed
}

// keyOf is the service that a packet with this TCP or UDP header is for.
func keyOf(proto byte, vip netip.Addr, l4 []byte) service.Key {
	return service.Key{Proto: proto, Addr: vip, Port: binary.BigEndian.Uint16(l4[2:4])}
}

// answer4 writes the error "fragmentation needed"; the kernel adds length,
// identification and checksum of the IP header.
func answer4(from, to netip.Addr, mtu uint16, quote []byte) []byte {
	const internetworkControl = 0xc0 // precedence, as the kernel
	src, dst := from.As4(), to.As4()
	said := append([]byte{0x45, internetworkControl, 0, 0, 0, 0, 0, 0, 64, packet.ProtoICMP, 0, 0}, src[:]...)
	said = append(said, dst[:]...)
	said = append(said, unreachable4, needsSmaller, 0, 0, 0, 0)
	said = append(binary.BigEndian.AppendUint16(said, mtu), quote...)
	icmp := said[packet.IPv4Len:]
	binary.LittleEndian.PutUint16(icmp[2:4], packet.Checksum(packet.Sum(icmp)))
	return said
}

// answer6 writes the error "packet too big".
func answer6(from, to netip.Addr, mtu uint16, quote []byte) []byte {
	src, dst := from.As16(), to.As16()
	size := uint16(icmpLen + len(quote))
	said := binary.BigEndian.AppendUint16([]byte{0x60, 0, 0, 0}, size)
	said = append(said, packet.ProtoICMPv6, 64)
	said = append(append(said, src[:]...), dst[:]...)
	said = append(said, tooBig6, 0, 0, 0, 0, 0)
	said = append(binary.BigEndian.AppendUint16(said, mtu), quote...)
	pseudo := append(append(src[:], dst[:]...), 0, 0, byte(size>>8), byte(size), 0, 0, 0, packet.ProtoICMPv6)
	binary.LittleEndian.PutUint16(said[packet.IPv6Len+2:], packet.Checksum(packet.Sum(append(pseudo, said[packet.IPv6Len:]...))))
	return said
}
