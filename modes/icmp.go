package modes

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/packet"
)

// ICMPError is an error that the gateway answers with (RFC 792).
type ICMPError struct {
	Type, Code uint8
	MTU        uint16 // host byte order; fragmentation needed only (RFC 1191)
}

// The errors of IPv4 that IPVS sends.
var (
	TimeExceeded    = ICMPError{Type: 11, Code: 0}
	PortUnreachable = ICMPError{Type: 3, Code: 3}
)

// TooBig is the error for a packet that needs fragmenting but must not be.
func TooBig(mtu uint16) ICMPError { return ICMPError{Type: 3, Code: 4, MTU: mtu} }

// quoteMax is the size of an ICMP error in all, IP header included (RFC 1812
// section 4.3.2.3, Linux).
const quoteMax = 576

// Answer4 turns the packet in b into an ICMP error about it: from the packet's
// destination to its source, out where it came in. It quotes the IP packet as
// it stands, up to 576 bytes in all, with precedence internetwork control as
// Linux does. It reports false, and changes nothing, for packets that must not
// be answered (RFC 1122 section 3.2.2): fragments but the first, or no room.
func Answer4(b *packet.Buf, p *packet.Parsed, e ICMPError) bool {
	const extra = packet.IPv4Len + packet.ICMPLen
	frame := b.Bytes()
	if p.L3 != packet.EthernetLen || laterFragment(frame, p) || b.Headroom() < extra {
		return false
	}
	eth := *packet.EthernetAt(frame)
	b.Trim(min(int(p.End), int(p.L3)+quoteMax-extra))
	b.Prepend(extra)
	frame = b.Bytes()
	swapEthernet(frame, &eth)
	icmpHeader(frame[packet.EthernetLen+packet.IPv4Len:], e)
	ipv4Header(frame[packet.EthernetLen:], p.Addrs)
	return true
}

func laterFragment(frame []byte, p *packet.Parsed) bool {
	return p.Fragment && binary.BigEndian.Uint16(frame[p.L3+6:])&0x1fff != 0
}

func swapEthernet(frame []byte, in *packet.Ethernet) {
	copy(frame[0:6], in[6:12])
	copy(frame[6:12], in[0:6])
	copy(frame[12:14], in[12:14])
}

// ipv4Header writes a header for all of ip, with the raw addresses swapped.
func ipv4Header(ip []byte, addrs uint64) {
	const internetworkControl = 0xc0
	h := (*packet.IPv4)(ip)
	*h = packet.IPv4{0: 0x45, 1: internetworkControl, 8: 64, 9: packet.ProtoICMP}
	binary.BigEndian.PutUint16(h[2:4], uint16(len(ip)))
	binary.LittleEndian.PutUint64(h[12:20], addrs>>32|addrs<<32)
	binary.LittleEndian.PutUint16(h[10:12], packet.Checksum(packet.Sum(h[:])))
}

// icmpHeader writes the header in front of the quoted packet.
func icmpHeader(icmp []byte, e ICMPError) {
	clear(icmp[:packet.ICMPLen])
	icmp[0], icmp[1] = e.Type, e.Code
	binary.BigEndian.PutUint16(icmp[6:8], e.MTU)
	binary.LittleEndian.PutUint16(icmp[2:4], packet.Checksum(packet.Sum(icmp)))
}
