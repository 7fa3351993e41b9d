package packet

// ipv4 validates the IPv4 header at p.L3 (RFC 791).
func (p *Parsed) ipv4(frame []byte, group bool) Verdict {
	l3 := int(p.L3)
	if len(frame) < l3+IPv4Len {
		return DropTruncated
	}
	ip := IPv4At(frame, p.L3)
	hl, total := ip.HeaderLen(), ip.TotalLen()
	if ip.Version() != 4 || hl < IPv4Len || total < hl {
		return DropBadIPHeader
	}
	if l3+total > len(frame) {
		return DropTruncated
	}
	options := frame[l3+IPv4Len : l3+hl]
	if !ip.checksumOK(options) {
		return DropBadIPChecksum
	}
	if len(options) > 0 && sourceRouted(options) {
		return DropSourceRoute
	}
	p.Addrs, p.Proto = ip.AddrsRaw(), ip.Proto()
	p.L4, p.End = uint16(l3+hl), uint16(l3+total)
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
		return p.fragment()
	}
	if p.Proto == ProtoICMPv6 {
		return Kernel // no ICMP of this family
	}
	return p.transport(frame)
}

// martian tells whether the raw addresses have a source that no host may send
// to us: this network, loopback, multicast and above (RFC 1812 section 5.3.7),
// or the destination's own address.
func martian(addrs uint64) bool {
	src := byte(addrs)
	return src-1 >= 223 || src == 127 || uint32(addrs) == uint32(addrs>>32) // 0-1 wraps
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
