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
	h := walk6(frame[p.L4:p.End], ip[6])
	if h.verdict != Pending {
		return h.verdict
	}
	p.Proto, p.Fragment, p.L4 = h.proto, h.fragment, p.L4+h.size
	if multicast {
		return p.multicast6(frame)
	}
	if p.Fragment {
		return p.fragment()
	}
	if p.Proto == ProtoICMP {
		return Kernel // no ICMP of this family
	}
	verdict := p.transport(frame)
	if verdict == Pending && !p.Error && p.L3 == EthernetLen && p.L4 == EthernetLen+IPv6Len {
		p.Plain = 6
	}
	return verdict
}

// chain is what a walk over extension headers found.
type chain struct {
	size     uint16 // of all of them, in bytes
	proto    uint8  // behind them; a later fragment's may be an extension header still
	fragment bool   // part of a packet; one that is whole (RFC 6946) is none
	later    bool   // part other than the first
	verdict  Verdict
}

// walk6 goes through the extension headers at the front of b, the first of kind
// next, to the first header that is none.
func walk6(b []byte, next byte) (c chain) {
	for range maxExtensions {
		if c.proto = next; c.later || !extension(next) {
			return c
		}
		rest := b[c.size:]
		if len(rest) < 8 {
			c.verdict = DropBadIPHeader
			return c
		}
		size := 8 + 8*int(rest[1])
		switch next {
		case nextFragment:
			size = 8 // the second byte is reserved
			field := binary.BigEndian.Uint16(rest[2:4])
			c.fragment = field&0xfff9 != 0
			c.later = field&0xfff8 != 0 // what follows is payload
		case nextRouting:
			if c.verdict = routed(rest); c.verdict != Pending {
				return c
			}
		}
		if size > len(rest) {
			c.verdict = DropBadIPHeader
			return c
		}
		next = rest[0]
		c.size += uint16(size)
	}
	c.verdict = DropBadIPHeader
	return c
}

func extension(next byte) bool {
	return next == nextHopByHop || next == nextRouting || next == nextDestination || next == nextFragment
}

// routed decides about a routing header. Type 0 is deprecated (RFC 5095). With
// segments left the packet has not reached its destination: routing it on is the
// kernel's, and its checksum does not cover the address that it has now.
func routed(header []byte) Verdict {
	switch {
	case header[2] == 0:
		return DropSourceRoute
	case header[3] != 0:
		return Kernel
	}
	return Pending
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
	a, b, c, d := ip.Words()
	return a == 0 && (b == 0 || b == 1<<56 || uint32(b) == 0xffff0000) || byte(a) == 0xff || a == c && b == d
}
