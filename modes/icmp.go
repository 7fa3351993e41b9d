package modes

import (
	"encoding/binary"
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
)

// ICMPError is an error that the gateway answers with, in both families.
type ICMPError struct {
	type4, code4 uint8 // RFC 792
	type6, code6 uint8 // RFC 4443
	mtu          uint16
	from         netip.Addr // invalid: the packet's destination
}

// From is the error as addr reports it, which must be of the packet's family:
// for packets whose destination is none of the gateway's addresses.
func (e ICMPError) From(addr netip.Addr) ICMPError {
	e.from = addr
	return e
}

// The errors that IPVS sends.
var (
	TimeExceeded    = ICMPError{type4: 11, code4: 0, type6: 3, code6: 0}
	PortUnreachable = ICMPError{type4: 3, code4: 3, type6: 1, code6: 4}
)

// TooBig is the error for a packet that does not fit and must not be fragmented;
// mtu is what would fit, in bytes of IP packet (RFC 1191, RFC 8201).
func TooBig(mtu uint16) ICMPError {
	return ICMPError{type4: 3, code4: 4, type6: 2, code6: 0, mtu: mtu}
}

// How large an ICMP error is at most, IP header included: as Linux for IPv4
// (RFC 1812 section 4.3.2.3), the minimum MTU for IPv6 (RFC 4443 section 2.4).
const (
	quoteMax4 = 576
	quoteMax6 = 1280
)

// Answer turns the packet in b into an ICMP error about it: from the packet's
// destination (unless From says otherwise) to its source, out where it came in,
// in the same VLAN. It quotes
// the IP packet as it stands. It reports false, and changes nothing, for packets
// that must not be answered (RFC 1122 section 3.2.2, RFC 4443 section 2.4):
// errors themselves, fragments but the first (IPv6: all), or no room in the buffer.
func Answer(b *packet.Buf, p *packet.Parsed, e ICMPError) bool {
	extra, limit := packet.IPv4Len+packet.ICMPLen, quoteMax4
	if p.IPv6 {
		extra, limit = packet.IPv6Len+packet.ICMPLen, quoteMax6
	}
	if p.Error || laterFragment(b.Bytes(), p) || b.Headroom() < extra {
		return false
	}
	b.Trim(min(int(p.End), int(p.L3)+limit-extra))
	b.Prepend(extra)
	frame := b.Bytes()
	moveEthernet(frame, frame[extra:], int(p.L3))
	if p.IPv6 {
		answer6(frame[p.L3:], e)
	} else {
		answer4(frame[p.L3:], p.Addrs, e)
	}
	return true
}

func laterFragment(frame []byte, p *packet.Parsed) bool {
	return p.Fragment && (p.IPv6 || packet.IPv4At(frame, p.L3).LaterFragment())
}

// moveEthernet copies the header of n bytes from where it was to the front, its
// addresses swapped.
func moveEthernet(front, was []byte, n int) {
	var h [packet.EthernetLen + packet.VLANLen]byte
	copy(h[:n], was)
	copy(front[0:6], h[6:12])
	copy(front[6:12], h[0:6])
	copy(front[12:n], h[12:n])
}

// answer4 writes both headers for all of ip, which quotes a packet with these
// raw addresses.
func answer4(ip []byte, addrs uint64, e ICMPError) {
	const internetworkControl = 0xc0 // precedence, as Linux
	h := (*packet.IPv4)(ip)
	*h = packet.IPv4{0: 0x45, 1: internetworkControl, 8: 64, 9: packet.ProtoICMP}
	binary.BigEndian.PutUint16(h[2:4], uint16(len(ip)))
	binary.LittleEndian.PutUint64(h[12:20], addrs>>32|addrs<<32)
	if e.from.IsValid() {
		from := e.from.As4()
		copy(h[12:16], from[:])
	}
	binary.LittleEndian.PutUint16(h[10:12], packet.Checksum(packet.Sum(h[:])))
	icmp := ip[packet.IPv4Len:]
	clear(icmp[:packet.ICMPLen])
	icmp[0], icmp[1] = e.type4, e.code4
	binary.BigEndian.PutUint16(icmp[6:8], e.mtu)
	sealICMP4(icmp)
}

// answer6 is answer4 for IPv6; the quoted packet is where it was.
func answer6(ip []byte, e ICMPError) {
	quoted := (*packet.IPv6)(ip[packet.IPv6Len+packet.ICMPLen:])
	addrs := quoted.AddrsRaw()
	h := (*packet.IPv6)(ip)
	*h = packet.IPv6{0: 0x60, 6: packet.ProtoICMPv6, 7: 64}
	binary.BigEndian.PutUint16(h[4:6], uint16(len(ip)-packet.IPv6Len))
	h.SetAddrs(&[4]uint64{addrs[2], addrs[3], addrs[0], addrs[1]})
	if e.from.IsValid() {
		from := e.from.As16()
		copy(h[8:24], from[:])
	}
	icmp := ip[packet.IPv6Len:]
	clear(icmp[:packet.ICMPLen])
	icmp[0], icmp[1] = e.type6, e.code6
	binary.BigEndian.PutUint16(icmp[6:8], e.mtu) // low half of the 32-bit field
	sealICMP6(h, icmp)
}

// sealICMP4 computes the checksum of an ICMP message.
func sealICMP4(icmp []byte) {
	icmp[2], icmp[3] = 0, 0
	binary.LittleEndian.PutUint16(icmp[2:4], packet.Checksum(packet.Sum(icmp)))
}

// sealICMP6 computes the checksum of an ICMPv6 message behind ip.
func sealICMP6(ip *packet.IPv6, icmp []byte) {
	icmp[2], icmp[3] = 0, 0
	binary.LittleEndian.PutUint16(icmp[2:4], packet.Checksum(sumICMP6(ip, icmp)))
}

// sumICMP6 sums the message and its pseudo header (RFC 8200 section 8.1).
func sumICMP6(ip *packet.IPv6, icmp []byte) uint16 {
	var tail [8]byte
	binary.BigEndian.PutUint32(tail[0:4], uint32(len(icmp)))
	tail[7] = packet.ProtoICMPv6
	return packet.Fold(uint64(packet.Sum(ip[8:40])) + uint64(packet.Sum(tail[:])) + uint64(packet.Sum(icmp)))
}
