package packet

import "encoding/binary"

// Next headers of IPv6 that are extension headers (RFC 8200 section 4).
const (
	nextHopByHop    = 0
	nextRouting     = 43
	nextFragment    = 44
	nextDestination = 60
)

// maxExtensions bounds how many extension headers are walked. RFC 8200 knows
// five kinds and wants each at most once, destination options twice.
const maxExtensions = 8

// ipv6 validates the IPv6 header at p.L3 and the extension headers behind it
// (RFC 8200).
func (p *Parsed) ipv6(frame []byte, group bool) Verdict {
	l3 := int(p.L3)
	if len(frame) < l3+IPv6Len {
		return DropTruncated
	}
	ip := IPv6At(frame, p.L3)
	total := IPv6Len + ip.PayloadLen()
	if ip.Version() != 6 {
		return DropBadIPHeader
	}
	if l3+total > len(frame) {
		return DropTruncated
	}
	p.IPv6, p.L4, p.End = true, uint16(l3+IPv6Len), uint16(l3+total)
	multicast := ip[24] == 0xff
	if !multicast && martian6(ip) {
		return DropMartian
	}
	if group && !multicast {
		return DropForeignMAC
	}
	verdict := p.extensions(frame, ip[6])
	if verdict != Pending {
		return verdict
	}
	if multicast {
		return p.multicast6(frame)
	}
	if p.Fragment {
		return p.fragment()
	}
	if p.Proto == ProtoICMP {
		return Kernel // no ICMP of this family
	}
	return p.transport(frame)
}

// extensions walks to the first header that is none, sets Proto and L4, and
// Fragment for part of a packet. A fragment that is whole (RFC 6946) is none.
func (p *Parsed) extensions(frame []byte, next byte) Verdict {
	for range maxExtensions {
		switch next {
		case nextHopByHop, nextRouting, nextDestination, nextFragment:
		default:
			p.Proto = next
			return Pending
		}
		rest := frame[p.L4:p.End]
		if len(rest) < 8 {
			return DropBadIPHeader
		}
		size := 8 + 8*int(rest[1])
		switch {
		case next == nextFragment:
			size = 8 // the second byte is reserved
			p.Fragment = binary.BigEndian.Uint16(rest[2:4])&0xfff9 != 0
		case next == nextRouting && rest[2] == 0:
			return DropSourceRoute // deprecated by RFC 5095
		}
		if size > len(rest) {
			return DropBadIPHeader
		}
		next = rest[0]
		p.L4 += uint16(size)
		if p.Fragment { // what follows may be payload
			p.Proto = next
			return Pending
		}
	}
	return DropBadIPHeader
}

// multicast6 ranks a packet for a group: neighbor discovery (RFC 4861), routing
// protocols, the rest.
func (p *Parsed) multicast6(frame []byte) Verdict {
	p.Class = classOfProto(p.Proto)
	if p.Proto == ProtoICMPv6 && !p.Fragment && p.End > p.L4 && neighborDiscovery(frame[p.L4]) {
		p.Class = ClassNeighbour
	}
	return Kernel
}

func neighborDiscovery(icmpType byte) bool { return icmpType >= 133 && icmpType <= 137 }

// martian6 tells whether the source is one that no host may send from:
// multicast, loopback, unspecified (RFC 4291 section 2.5), IPv4-mapped, or the
// destination's own.
func martian6(ip *IPv6) bool {
	src := ip.AddrsRaw()
	if src[0] == 0 && (src[1] == 0 || src[1] == 1<<56 || uint32(src[1]) == 0xffff0000) {
		return true
	}
	return byte(src[0]) == 0xff || src[0] == src[2] && src[1] == src[3]
}
