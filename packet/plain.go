package packet

import "encoding/binary"

// The shortest frames that plain4 and plain6 take.
const (
	plain4Len = EthernetLen + IPv4Len + TCPLen
	plain6Len = EthernetLen + IPv6Len + UDPLen
)

// plain4 parses what nearly all packets are, at fixed offsets: untagged, to the
// port's own address, IPv4 without options, whole, TCP or UDP. What is not, or
// has anything wrong, it leaves to the complete parser and says so; both
// agree about what it takes (TestPlainAgrees).
func (p *Parsed) plain4(frame []byte, g *Gate) bool {
	if len(frame) < plain4Len {
		return false
	}
	h := (*[plain4Len]byte)(frame)
	const typeAndVersion = 0x45_00_08 // bytes 12 to 14: IPv4, 20 bytes of header
	if binary.LittleEndian.Uint64(h[0:8])&mac48 != g.MAC || h[0]&1 != 0 ||
		binary.LittleEndian.Uint32(h[12:16])&0xffffff != typeAndVersion {
		return false
	}
	total := int(binary.BigEndian.Uint16(h[16:18]))
	if total > len(frame)-EthernetLen || binary.LittleEndian.Uint16(h[20:22])&0xff3f != 0 { // longer, or a fragment
		return false
	}
	addrs := binary.LittleEndian.Uint64(h[26:34])
	a, b := binary.LittleEndian.Uint64(h[14:22]), uint64(binary.LittleEndian.Uint32(h[22:26]))
	sum := a>>32 + a&0xffffffff + addrs>>32 + addrs&0xffffffff + b
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff // at most 18 bits
	sum = sum>>16 + sum&0xffff // at most 0x10002: no further carry can make it 0xffff
	if sum != 0xffff || byte(addrs>>32) >= 224 || martian(addrs) {
		return false
	}
	flags, payload := uint8(0), total-IPv4Len
	switch h[23] {
	case ProtoUDP:
		if n := int(binary.BigEndian.Uint16(h[38:40])); n < UDPLen || n > payload {
			return false
		}
	case ProtoTCP:
		if n := int(h[46]>>4) * 4; n < TCPLen || n > payload {
			return false
		}
		flags = h[47]
	default:
		return false
	}
	p.Addrs, p.Ports = addrs, binary.LittleEndian.Uint32(h[34:38])
	p.L4, p.End, p.QuotedL4, p.VLAN = EthernetLen+IPv4Len, uint16(EthernetLen+total), 0, 0
	p.L3, p.Proto, p.TCPFlags, p.IPv6 = EthernetLen, h[23], flags, false
	p.Fragment, p.Error, p.Class = false, false, ClassOther
	return true
}

// plain6 is plain4 for IPv6 without extension headers.
func (p *Parsed) plain6(frame []byte, g *Gate) bool {
	if len(frame) < plain6Len {
		return false
	}
	h := (*[plain6Len]byte)(frame)
	const typeAndVersion = 0x60_dd_86
	if binary.LittleEndian.Uint64(h[0:8])&mac48 != g.MAC || h[0]&1 != 0 ||
		binary.LittleEndian.Uint32(h[12:16])&0xf0ffff != typeAndVersion {
		return false
	}
	payload := int(binary.BigEndian.Uint16(h[18:20]))
	if payload > len(frame)-EthernetLen-IPv6Len || h[38] == 0xff || martian6((*IPv6)(h[EthernetLen:])) {
		return false
	}
	flags := uint8(0)
	switch h[20] {
	case ProtoUDP:
		if n := int(binary.BigEndian.Uint16(h[58:60])); n < UDPLen || n > payload {
			return false
		}
	case ProtoTCP:
		if payload < TCPLen {
			return false
		}
		tcp := TCPAt(frame, EthernetLen+IPv6Len)
		if n := tcp.HeaderLen(); n < TCPLen || n > payload {
			return false
		}
		flags = tcp.Flags()
	default:
		return false
	}
	p.Addrs, p.Ports = 0, binary.LittleEndian.Uint32(h[54:58])
	p.L4, p.End, p.QuotedL4, p.VLAN = EthernetLen+IPv6Len, uint16(EthernetLen+IPv6Len+payload), 0, 0
	p.L3, p.Proto, p.TCPFlags, p.IPv6 = EthernetLen, h[20], flags, true
	p.Fragment, p.Error, p.Class = false, false, ClassOther
	return true
}
