package frame

import (
	"encoding/binary"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// ICMPError is an error about a packet.
type ICMPError struct {
	Type, Code uint8
	MTU        uint16
}

// errorMax is the size in bytes of an ICMP error, IP header included, beyond
// which it quotes no more (RFC 1812 section 4.3.2.3).
const errorMax = 576

// Answer is the frame by which a gateway reports e about the frame in, without
// Ethernet padding: from its destination to its source, precedence 6, quoting the IP
// packet as it came.
func (e ICMPError) Answer(in []byte) []byte {
	total := int(binary.BigEndian.Uint16(in[16:18]))
	quote := in[14 : 14+min(total, errorMax-28)]
	return Serialize(
		&layers.Ethernet{SrcMAC: in[0:6], DstMAC: in[6:12], EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, TOS: 0xc0, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: in[30:34], DstIP: in[26:30]},
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(e.Type, e.Code), Seq: e.MTU},
		gopacket.Payload(quote),
	)
}
