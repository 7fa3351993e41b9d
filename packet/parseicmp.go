package packet

import "encoding/binary"

// ICMP types that report an error about a packet they quote (RFC 792, RFC 4443)
// and that matter to a connection; Linux IPVS translates the same ones.
const (
	icmpUnreachable  = 3
	icmpSourceQuench = 4
	icmpTimeExceeded = 11
	icmp6Unreachable = 1
	icmp6Parameter   = 4 // 2: packet too big, 3: time exceeded
)

// icmp recognizes an error about a TCP or UDP packet. It sets Error and, from
// the quoted packet reversed, what look-up needs: the error goes the way that
// an answer to the quoted packet would. All other ICMP is the kernel's.
func (p *Parsed) icmp(icmp []byte) Verdict {
	if len(icmp) < ICMPLen {
		return DropBadL4Header
	}
	if p.IPv6 && neighborDiscovery(icmp[0]) {
		p.Class = ClassNeighbour
	}
	quoted := icmp[ICMPLen:]
	if p.IPv6 {
		return p.quoted6(icmp[0], quoted)
	}
	return p.quoted4(icmp[0], quoted)
}

func (p *Parsed) quoted4(kind byte, quoted []byte) Verdict {
	if kind != icmpUnreachable && kind != icmpSourceQuench && kind != icmpTimeExceeded || len(quoted) < IPv4Len {
		return Kernel
	}
	ip := (*IPv4)(quoted)
	hl := ip.HeaderLen()
	if ip.Version() != 4 || hl < IPv4Len || len(quoted) < hl+8 || ip.LaterFragment() {
		return Kernel
	}
	if !p.quotedPorts(ip.Proto(), quoted[hl:]) {
		return Kernel
	}
	p.QuotedL4 = uint16(p.Quoted() + hl)
	addrs := ip.AddrsRaw()
	p.Addrs = addrs>>32 | addrs<<32
	return Pending
}

func (p *Parsed) quoted6(kind byte, quoted []byte) Verdict {
	if kind < icmp6Unreachable || kind > icmp6Parameter || len(quoted) < IPv6Len {
		return Kernel
	}
	ip := (*IPv6)(quoted)
	h := walk6(quoted[IPv6Len:], ip[6])
	l4 := quoted[IPv6Len+int(h.size):]
	if ip.Version() != 6 || h.verdict != Pending || h.later || len(l4) < 8 || !p.quotedPorts(h.proto, l4) {
		return Kernel
	}
	p.QuotedL4 = uint16(p.Quoted()+IPv6Len) + h.size
	return Pending
}

// quotedPorts reads the ports, reversed, of the quoted TCP or UDP header, of
// which 8 bytes are there.
func (p *Parsed) quotedPorts(proto byte, l4 []byte) bool {
	if proto != ProtoTCP && proto != ProtoUDP {
		return false
	}
	ports := binary.LittleEndian.Uint32(l4)
	p.Proto, p.Ports, p.Error = proto, ports>>16|ports<<16, true
	return true
}

// Quoted is the offset of the packet that an ICMP error quotes; valid iff Error.
func (p *Parsed) Quoted() int { return int(p.L4) + ICMPLen }
