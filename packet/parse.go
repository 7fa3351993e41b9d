package packet

import "encoding/binary"

// Parsed is what one look at a frame found. After Parse returned Pending, every
// field is valid but TCPFlags (iff Proto is TCP) and Ports, L4 (iff not Fragment).
type Parsed struct {
	Addrs    uint64 // IPv4 addresses, raw: source low, destination high
	Ports    uint32 // raw: source low, destination high
	L4       uint16 // offset of the TCP or UDP header
	End      uint16 // offset behind the IP packet; what follows is Ethernet padding
	L3       uint8  // offset of the IP header
	Proto    uint8  // TCP or UDP
	TCPFlags uint8
	Fragment bool        // part of a packet: ports unknown
	Class    KernelClass // valid iff the packet goes to the kernel
}

// Len is the length of the IP packet in bytes.
func (p *Parsed) Len() int { return int(p.End) - int(p.L3) }

// Gate is what Parse must know of the port.
type Gate struct {
	MAC uint64 // the port's address, raw
}

// Parse is the one gate: it validates the frame once, for all later stages to
// trust. In order:
//
//  1. Ethernet: for us, or for a group.
//  2. Not IPv4: the kernel's (ARP, IPv6, LACP, anything else).
//  3. IPv4 header: lengths, checksum, options, addresses.
//  4. TCP or UDP header: lengths. Other protocols are the kernel's.
//
// It returns Pending for a TCP or UDP packet (or a fragment of one) that may
// belong to a flow, Kernel with p.Class, or the reason to drop. The lengths of
// the Ethernet payload beyond the IP packet are padding. L4 checksums are not
// looked at: the ends verify them, and wrong ones must stay wrong. A frame has at
// most 65535 bytes, as a Buf has.
func Parse(frame []byte, g *Gate, p *Parsed) Verdict {
	*p = Parsed{Class: ClassOther}
	if len(frame) < EthernetLen {
		return DropTruncated
	}
	eth := EthernetAt(frame)
	group := eth[0]&1 != 0
	if !group && eth.DstRaw() != g.MAC && !virtualRouter(eth) {
		return DropForeignMAC
	}
	switch eth.Type() {
	case EtherTypeIPv4:
		p.L3 = EthernetLen
		return p.ipv4(frame, group)
	case EtherTypeIPv6:
		return p.ipv6(frame)
	case EtherTypeVLAN, EtherTypeQinQ:
		return DropUnknownVLAN
	case EtherTypeARP:
		p.Class = ClassNeighbour
	case EtherTypeSlow:
		p.Class = ClassRouting
	}
	return Kernel
}

// virtualRouter recognizes VRRP's virtual router addresses 00:00:5e:00:01:xx
// and, for IPv6, 00:00:5e:00:02:xx (RFC 9568 section 7.3).
func virtualRouter(h *Ethernet) bool {
	return binary.BigEndian.Uint32(h[0:4]) == 0x00005e00 && (h[4] == 1 || h[4] == 2)
}

func (p *Parsed) ipv4(frame []byte, group bool) Verdict {
	if len(frame) < EthernetLen+IPv4Len {
		return DropTruncated
	}
	ip := IPv4At(frame, EthernetLen)
	hl, total := ip.HeaderLen(), ip.TotalLen()
	if ip.Version() != 4 || hl < IPv4Len || total < hl {
		return DropBadIPHeader
	}
	if EthernetLen+total > len(frame) {
		return DropTruncated
	}
	options := frame[EthernetLen+IPv4Len : EthernetLen+hl]
	if !ip.checksumOK(options) {
		return DropBadIPChecksum
	}
	if len(options) > 0 && sourceRouted(options) {
		return DropSourceRoute
	}
	p.Addrs, p.Proto = ip.AddrsRaw(), ip.Proto()
	p.End = uint16(EthernetLen + total)
	if dst := byte(p.Addrs >> 32); dst >= 224 { // multicast, reserved, broadcast
		p.Class = classOfProto(p.Proto)
		return Kernel
	}
	if martian(p.Addrs) {
		return DropMartian
	}
	if group {
		return DropForeignMAC // unicast IP in a broadcast frame (RFC 1122 section 3.3.6)
	}
	if ip.Fragment() {
		p.Fragment = true
		return p.fragment()
	}
	p.L4 = uint16(EthernetLen + hl)
	return p.transport(frame[p.L4:p.End])
}

func (p *Parsed) fragment() Verdict {
	if p.Proto == ProtoTCP || p.Proto == ProtoUDP {
		return Pending
	}
	p.Class = classOfProto(p.Proto)
	return Kernel
}

// transport validates the header at the start of l4, which ends with the packet.
func (p *Parsed) transport(l4 []byte) Verdict {
	switch p.Proto {
	case ProtoTCP:
		if len(l4) < TCPLen {
			return DropBadL4Header
		}
		tcp := (*TCP)(l4)
		if hl := tcp.HeaderLen(); hl < TCPLen || hl > len(l4) {
			return DropBadL4Header
		}
		p.TCPFlags = tcp.Flags()
	case ProtoUDP:
		if len(l4) < UDPLen {
			return DropBadL4Header
		}
		if n := (*UDP)(l4).Len(); n < UDPLen || n > len(l4) {
			return DropBadL4Header
		}
	default:
		p.Class = classOfProto(p.Proto)
		return Kernel
	}
	p.Ports = binary.LittleEndian.Uint32(l4)
	return Pending
}

// martian tells whether the raw addresses have a source that no host may send
// to us: this network, loopback, multicast and above (RFC 1812 section 5.3.7),
// or the destination's own address.
func martian(addrs uint64) bool {
	src := byte(addrs)
	return src == 0 || src == 127 || src >= 224 || uint32(addrs) == uint32(addrs>>32)
}

// sourceRouted looks for a loose or strict source route (RFC 791 section 3.1)
// among the options. A malformed list counts as one: nobody sends it in earnest.
func sourceRouted(options []byte) bool {
	for i := 0; i < len(options); {
		switch kind := options[i]; kind {
		case 0: // end of list
			return false
		case 1: // no operation
			i++
		case 131, 137: // LSRR, SSRR
			return true
		default:
			rest := options[i:]
			if len(rest) < 2 || rest[1] < 2 || int(rest[1]) > len(rest) {
				return true
			}
			i += int(rest[1])
		}
	}
	return false
}

// IP protocols of the routing class.
const (
	protoOSPF = 89
	protoVRRP = 112
)

func classOfProto(proto uint8) KernelClass {
	if proto == protoOSPF || proto == protoVRRP {
		return ClassRouting
	}
	return ClassOther
}

// ipv6 tells neighbor discovery (RFC 4861) from the rest; all of it is the kernel's.
func (p *Parsed) ipv6(frame []byte) Verdict {
	const ipv6Len = 40
	if len(frame) < EthernetLen+ipv6Len {
		return DropTruncated
	}
	next := frame[EthernetLen+6]
	p.Class = classOfProto(next)
	if next == ProtoICMPv6 && len(frame) > EthernetLen+ipv6Len {
		if kind := frame[EthernetLen+ipv6Len]; kind >= 133 && kind <= 137 {
			p.Class = ClassNeighbour
		}
	}
	return Kernel
}

// ClassOfPorts ranks a TCP or UDP packet that has neither flow nor service: BGP
// (179) and BFD (3784, 3785, 4784) before the rest. Ports are raw.
func ClassOfPorts(proto uint8, ports uint32) KernelClass {
	for _, raw := range [2]uint16{uint16(ports), uint16(ports >> 16)} {
		switch port := raw>>8 | raw<<8; {
		case proto == ProtoTCP && port == 179,
			proto == ProtoUDP && (port == 3784 || port == 3785 || port == 4784):
			return ClassRouting
		}
	}
	return ClassOther
}
