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
	eth, ip := decodeIPv4(in)
	total := int(binary.BigEndian.Uint16(in[16:18]))
	quote := in[14 : 14+min(total, errorMax-28)]
	return Serialize(
		&layers.Ethernet{SrcMAC: eth.DstMAC, DstMAC: eth.SrcMAC, EthernetType: layers.EthernetTypeIPv4},
		&layers.IPv4{Version: 4, TOS: 0xc0, TTL: 64, Protocol: layers.IPProtocolICMPv4, SrcIP: ip.DstIP, DstIP: ip.SrcIP},
		&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(e.Type, e.Code), Seq: e.MTU},
		gopacket.Payload(quote),
	)
}

func decodeIPv4(in []byte) (*layers.Ethernet, *layers.IPv4) {
	p := gopacket.NewPacket(in, layers.LayerTypeEthernet, gopacket.Default)
	eth, _ := p.Layer(layers.LayerTypeEthernet).(*layers.Ethernet)
	ip, _ := p.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	if eth == nil || ip == nil {
		panic("frame: not IPv4 in Ethernet")
	}
	return eth, ip
}
