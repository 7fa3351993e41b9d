package packet

import (
	"encoding/binary"
	"math/bits"
)

// The shortest plain frames: of IPv4 those that Parse takes at fixed offsets.
const (
	PlainLen  = EthernetLen + IPv4Len + TCPLen
	Plain6Len = EthernetLen + IPv6Len + UDPLen
)

// Parse is the one gate: it validates the frame once, for all later stages to
// trust. In order:
//
//  1. Ethernet: for us, or for a group; at most one tag, of a known VLAN.
//  2. Neither IPv4 nor IPv6: the kernel's (ARP, LACP, anything else).
//  3. IP header: lengths, checksum, options or extension headers, addresses.
//  4. TCP, UDP: lengths. ICMP errors: what they quote. Other protocols are the
//     kernel's.
//
// It returns Pending for a TCP or UDP packet, a fragment of one or an ICMP error
// about one, that may belong to a flow; Kernel with p.Class; or the reason to
// drop. The lengths of the Ethernet payload beyond the IP packet are padding. L4
// checksums are not looked at: the ends verify them, and wrong ones must stay
// wrong. A frame has at most 65535 bytes, as a Buf has.
//
// What nearly all packets are is parsed here at fixed offsets: untagged, to the
// port's own address (which is no group's), IPv4 without options, whole, TCP or
// UDP. What is not, or has anything wrong, is left to the complete parser; both
// agree about what they take (TestPlainAgrees).
func Parse(frame []byte, g *Gate, p *Parsed) Verdict {
	if len(frame) < PlainLen {
		return ParseUnplain4(frame, g, p)
	}
	h := (*[PlainLen]byte)(frame)
	total := int(binary.BigEndian.Uint16(h[16:18]))
	const typeAndVersion = 0x45_00_08 // bytes 12 to 14: IPv4, 20 bytes of header
	if (binary.LittleEndian.Uint64(h[0:8])^g.MAC)<<16 != 0 || (binary.LittleEndian.Uint32(h[12:16])^typeAndVersion)<<8 != 0 ||
		binary.LittleEndian.Uint16(h[20:22])&0xff3f != 0 || // a fragment
		total > len(frame)-EthernetLen {
		return ParseUnplain4(frame, g, p)
	}
	addrs := binary.LittleEndian.Uint64(h[26:34])
	sum, carry := bits.Add64(binary.LittleEndian.Uint64(h[14:22]), uint64(binary.LittleEndian.Uint32(h[22:26])), 0)
	sum, carry = bits.Add64(sum, addrs, carry)
	if !allOnes16(sum+carry) || Unusual4(addrs) {
		return ParseUnplain4(frame, g, p)
	}
	payload := total - IPv4Len
	switch h[23] {
	case ProtoUDP:
		if n := int(binary.BigEndian.Uint16(h[38:40])); n < UDPLen || n > payload {
			return ParseUnplain4(frame, g, p)
		}
	case ProtoTCP:
		if n := int(h[46]>>4) * 4; n < TCPLen || n > payload {
			return ParseUnplain4(frame, g, p)
		}
	default:
		return ParseUnplain4(frame, g, p)
	}
	p.SetPlain4(h)
	return Pending
}

// Unusual4 says whether packets with these raw addresses (as in Parsed) are not plain:
// to a group, or from where no host may send.
func Unusual4(addrs uint64) bool { return byte(addrs>>32) >= 224 || martian(addrs) }

// SetPlain4 is what Parse says of a plain IPv4 frame.
func (p *Parsed) SetPlain4(h *[PlainLen]byte) {
	*p = Parsed{
		Addrs: binary.LittleEndian.Uint64(h[26:34]), Ports: binary.LittleEndian.Uint32(h[34:38]),
		End:   EthernetLen + binary.BigEndian.Uint16(h[16:18]),
		Proto: h[23], L3: EthernetLen, L4: EthernetLen + IPv4Len, Plain: 4, Class: ClassOther,
	}
	if p.Proto == ProtoTCP {
		p.TCPFlags = h[47]
	}
}

// SetPlain6 is SetPlain4 for IPv6.
func (p *Parsed) SetPlain6(frame []byte) {
	*p = Parsed{
		Ports: binary.LittleEndian.Uint32(frame[54:58]),
		End:   EthernetLen + IPv6Len + binary.BigEndian.Uint16(frame[18:20]),
		Proto: frame[20], L3: EthernetLen, L4: EthernetLen + IPv6Len, IPv6: true, Plain: 6, Class: ClassOther,
	}
	if p.Proto == ProtoTCP {
		p.TCPFlags = frame[67]
	}
}

// ParseUnplain4 is Parse for a frame that is known not to be plain IPv4.
func ParseUnplain4(frame []byte, g *Gate, p *Parsed) Verdict { return p.parse(frame, g) }
