package packet

import "encoding/binary"

// Parsed is what one look at a frame found. After Parse returned Pending, the
// fields without a condition are valid.
type Parsed struct {
	Addrs uint64 // IPv4: addresses, raw, source low, destination high (IPv6: in the frame)
	Ports uint32 // raw: source low, destination high; valid iff not Fragment
	End   uint16 // offset behind the IP packet; what follows is Ethernet padding

	Proto    uint8 // TCP or UDP (a Fragment's: or an extension header); of the quoted packet if Error
	TCPFlags uint8 // valid iff Proto is TCP and not Error

	L4       uint16 // offset of the TCP, UDP or ICMP header; valid iff not Fragment
	QuotedL4 uint16 // offset of the TCP or UDP header, 8 bytes or more, that an ICMP error quotes; valid iff Error
	VLAN     uint16 // 802.1Q id; 0: untagged (or tagged with a priority alone)
	L3       uint8  // offset of the IP header: 14, or 18 behind a tag
	IPv6     bool
	Fragment bool        // part of a packet: ports unknown
	Error    bool        // ICMP error: Addrs (Quoted for IPv6) and Ports are the quoted packet's, reversed
	Plain    uint8       // 4 or 6, if IPv4 or IPv6 at fixed offsets: Pending, untagged, no options or extension headers, neither Fragment nor Error
	Class    KernelClass // valid iff the packet goes to the kernel
}

// Len is the length of the IP packet in bytes.
func (p *Parsed) Len() int { return int(p.End) - int(p.L3) }

// Gate is what Parse must know of the port.
type Gate struct {
	MAC   uint64     // the port's address, raw
	VLANs [64]uint64 // bit i of word j: VLAN 64j+i is configured
}

// Allow configures a VLAN.
func (g *Gate) Allow(vlan uint16) { g.VLANs[vlan>>6&63] |= 1 << (vlan & 63) }

func (g *Gate) allows(vlan uint16) bool { return g.VLANs[vlan>>6&63]>>(vlan&63)&1 != 0 }

// parse is all of Parse, for any frame.
func (p *Parsed) parse(frame []byte, g *Gate) Verdict {
	*p = Parsed{Class: ClassOther, L3: EthernetLen}
	if len(frame) < EthernetLen {
		return DropTruncated
	}
	eth := EthernetAt(frame)
	group := eth[0]&1 != 0
	if !group && eth.DstRaw() != g.MAC && !virtualRouter(eth) {
		return DropForeignMAC
	}
	kind := eth.Type()
	if kind == EtherTypeVLAN || kind == EtherTypeQinQ {
		if len(frame) < EthernetLen+VLANLen {
			return DropTruncated
		}
		if kind = p.tag(frame, g, kind); kind == 0 {
			return DropUnknownVLAN
		}
	}
	switch kind {
	case EtherTypeIPv4:
		return p.ipv4(frame, group)
	case EtherTypeIPv6:
		return p.ipv6(frame, group)
	case EtherTypeARP:
		p.Class = ClassNeighbour
	case EtherTypeSlow:
		p.Class = ClassRouting
	}
	return Kernel
}

// tag reads an 802.1Q tag and returns the EtherType behind it, 0 when the VLAN
// is not ours or there is another tag (802.1ad).
func (p *Parsed) tag(frame []byte, g *Gate, outer uint16) (kind uint16) {
	tci := binary.BigEndian.Uint16(frame[14:16])
	kind = binary.BigEndian.Uint16(frame[16:18])
	p.VLAN, p.L3 = tci&0xfff, EthernetLen+VLANLen
	if outer == EtherTypeQinQ || kind == EtherTypeVLAN || kind == EtherTypeQinQ || p.VLAN != 0 && !g.allows(p.VLAN) {
		return 0
	}
	return kind
}

// virtualRouter recognizes VRRP's virtual router addresses 00:00:5e:00:01:xx
// and, for IPv6, 00:00:5e:00:02:xx (RFC 9568 section 7.3).
func virtualRouter(h *Ethernet) bool {
	return binary.BigEndian.Uint32(h[0:4]) == 0x00005e00 && (h[4] == 1 || h[4] == 2)
}

// transport validates the header at p.L4.
func (p *Parsed) transport(frame []byte) Verdict {
	l4 := frame[p.L4:p.End]
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
	case ProtoICMP, ProtoICMPv6:
		return p.icmp(l4)
	default:
		p.Class = classOfProto(p.Proto)
		return Kernel
	}
	p.Ports = binary.LittleEndian.Uint32(l4)
	return Pending
}

// fragment decides about a part of a packet by its protocol alone. Behind an
// extension header of a later fragment there may be TCP or UDP, too.
func (p *Parsed) fragment() Verdict {
	p.Fragment, p.L4 = true, 0
	if p.Proto == ProtoTCP || p.Proto == ProtoUDP || p.IPv6 && extension(p.Proto) {
		return Pending
	}
	p.Class = classOfProto(p.Proto)
	return Kernel
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
