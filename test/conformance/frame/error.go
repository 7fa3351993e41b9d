package frame

import (
	"encoding/binary"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// ICMPError is an error about a packet, of the packet's family.
type ICMPError struct {
	Type, Code uint8
	MTU        uint16
}

// The size in bytes of an ICMP error, IP header included, beyond which it quotes
// no more (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4).
const (
	errorMax  = 576
	errorMax6 = 1280
)

// Answer is the frame by which a gateway reports e about the frame in, without
// Ethernet padding: from its destination to its source, in its VLAN, precedence 6
// (IPv4), quoting the IP packet as it came.
func (e ICMPError) Answer(in []byte) []byte {
	return e.AnswerFrom(nil, in)
}

// AnswerFrom is Answer from another address than the packet's destination.
func (e ICMPError) AnswerFrom(src []byte, in []byte) []byte {
	head := append([]byte{}, in[:L3(in)]...)
	copy(head[0:6], in[6:12])
	copy(head[6:12], in[0:6])
	ip := in[L3(in):]
	if ip[0]>>4 == 6 {
		quote := ip[:min(40+int(binary.BigEndian.Uint16(ip[4:6])), errorMax6-48)]
		if src == nil {
			src = ip[24:40]
		}
		return append(head, icmp6(e, &layers.IPv6{Version: 6, HopLimit: 64, SrcIP: src, DstIP: ip[8:24]}, quote)...)
	}
	quote := ip[:min(int(binary.BigEndian.Uint16(ip[2:4])), errorMax-28)]
	if src == nil {
		src = ip[16:20]
	}
	return append(head, icmp4(e, &layers.IPv4{Version: 4, TOS: 0xc0, TTL: 64, SrcIP: src, DstIP: ip[12:16]}, quote)...)
}

// L3 is where a frame's IP header begins.
func L3(frame []byte) int {
	if kind := binary.BigEndian.Uint16(frame[12:14]); kind == 0x8100 {
		return 18
	}
	return 14
}

func icmp4(e ICMPError, ip *layers.IPv4, quote []byte) []byte {
	ip.Protocol = layers.IPProtocolICMPv4
	return Serialize(ip, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(e.Type, e.Code), Seq: e.MTU}, gopacket.Payload(quote))
}

func icmp6(e ICMPError, ip *layers.IPv6, quote []byte) []byte {
	ip.NextHeader = layers.IPProtocolICMPv6
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(e.Type, e.Code)}
	must(icmp.SetNetworkLayerForChecksum(ip))
	mtu := binary.BigEndian.AppendUint32(nil, uint32(e.MTU))
	return Serialize(ip, icmp, gopacket.Payload(append(mtu, quote...)))
}

// Report is an ICMP error that some host sends about a packet it got.
type Report struct {
	SrcMAC, DstMAC MAC
	VLAN           uint16
	Src, Dst       string
	TTL            uint8 // 0: 64
	Error          ICMPError
	Quote          Packet // what it quotes, without Ethernet header
	Cut            int    // bytes of it at most; 0: all
	SumError       uint16 // added to the right checksum, in one's complement
	Padding        int
}

// Bytes is the frame.
func (r Report) Bytes() []byte {
	p := Packet{SrcMAC: r.SrcMAC, DstMAC: r.DstMAC, VLAN: r.VLAN, Src: r.Src, TTL: r.TTL}
	quote := r.Quote.IP()
	if r.Cut != 0 {
		quote = quote[:min(r.Cut, len(quote))]
	}
	var ip []byte
	at := 22
	if p.IsIPv6() {
		ip, at = icmp6(r.Error, &layers.IPv6{Version: 6, HopLimit: p.ttl(), SrcIP: IP(r.Src), DstIP: IP(r.Dst)}, quote), 42
	} else {
		ip = icmp4(r.Error, &layers.IPv4{Version: 4, TTL: p.ttl(), SrcIP: IP(r.Src), DstIP: IP(r.Dst)}, quote)
	}
	sum := uint32(binary.BigEndian.Uint16(ip[at:])) + uint32(r.SumError)
	binary.BigEndian.PutUint16(ip[at:], uint16(sum+sum>>16))
	out := append(p.ethernet(), ip...)
	for range r.Padding {
		out = append(out, 0xee)
	}
	return out
}
