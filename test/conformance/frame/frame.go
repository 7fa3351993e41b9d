// Package frame builds the frames of tests with gopacket, an encoder and
// decoder that knows nothing of Sluice, and checks frames with it.
//
// Runs on: tests. Imports nothing of Sluice, so that every test may use it.
package frame

import (
	"net"
	"net/netip"
	"strings"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// MAC is an Ethernet address as on the wire.
type MAC = [6]byte

// TCP flags.
const (
	FIN = 1 << 0
	SYN = 1 << 1
	RST = 1 << 2
	PSH = 1 << 3
	ACK = 1 << 4
)

// IP protocols.
const (
	ICMP   = 1
	IPinIP = 4
	TCP    = 6
	UDP    = 17
	IPv6   = 41
	ICMPv6 = 58
)

// Packet describes an Ethernet frame with an IP packet, of IPv6 when Src is.
// The zero values of the fields that a test does not name make an ordinary packet.
type Packet struct {
	SrcMAC, DstMAC   MAC
	VLAN             uint16 // id of an 802.1Q tag; 0: untagged
	Priority         bool   // tagged with VLAN 0
	Src, Dst         string // addresses of one family
	Proto            uint8  // with TCP and UDP a header is built; else Payload is all
	SrcPort, DstPort uint16
	Flags            uint8 // TCP
	Seq              uint32
	TTL              uint8 // or hop limit; 0: 64
	TOS              uint8 // or traffic class
	ID               uint16
	DF, MF           bool
	Offset           uint16              // of a fragment, in units of 8 bytes: no TCP or UDP header is built then
	Options          []layers.IPv4Option // IPv4
	Extensions       []Extension         // IPv6, in order; of a fragment: before its header
	TCPOptions       []layers.TCPOption
	Payload          []byte
	Padding          int    // bytes 0xee behind the IP packet
	SumError         uint16 // added to the right TCP or UDP checksum, in one's complement
	NoSum            bool   // UDP without checksum
}

// Bytes is the frame.
func (p Packet) Bytes() []byte {
	out := append(p.ethernet(), p.IP()...)
	for range p.Padding {
		out = append(out, 0xee)
	}
	return out
}

// IP is the IP packet alone.
func (p Packet) IP() []byte {
	if p.IsIPv6() {
		return p.ipv6()
	}
	ip := p.ipv4()
	stack := append([]gopacket.SerializableLayer{ip}, p.transport(ip)...)
	out := Serialize(append(stack, gopacket.Payload(p.Payload))...)
	p.spoil(out[4*int(ip.IHL):])
	return out
}

// IsIPv6 tells the family.
func (p Packet) IsIPv6() bool { return strings.Contains(p.Src, ":") }

// ethernet is the Ethernet header, tag included.
func (p Packet) ethernet() []byte {
	kind := layers.EthernetTypeIPv4
	if p.IsIPv6() {
		kind = layers.EthernetTypeIPv6
	}
	return Header(p.SrcMAC, p.DstMAC, p.VLAN, p.Priority, kind)
}

// Header is an Ethernet header, tagged when vlan is not 0 or with a priority.
func Header(src, dst MAC, vlan uint16, priority bool, kind layers.EthernetType) []byte {
	eth := &layers.Ethernet{SrcMAC: src[:], DstMAC: dst[:], EthernetType: kind}
	if vlan == 0 && !priority {
		return Serialize(eth)[:14] // gopacket pads to 60 bytes
	}
	eth.EthernetType = layers.EthernetTypeDot1Q
	return Serialize(eth, &layers.Dot1Q{VLANIdentifier: vlan, Type: kind})[:18]
}

func (p Packet) ipv4() *layers.IPv4 {
	ip := &layers.IPv4{
		Version: 4, TOS: p.TOS, Id: p.ID, TTL: p.ttl(), Protocol: layers.IPProtocol(p.Proto), FragOffset: p.Offset,
		SrcIP: IP(p.Src), DstIP: IP(p.Dst), Options: p.Options,
	}
	if p.DF {
		ip.Flags |= layers.IPv4DontFragment
	}
	if p.MF {
		ip.Flags |= layers.IPv4MoreFragments
	}
	return ip
}

func (p Packet) ttl() uint8 {
	if p.TTL == 0 {
		return 64
	}
	return p.TTL
}

// transport is the TCP or UDP header over network, none in a later fragment.
func (p Packet) transport(network gopacket.NetworkLayer) []gopacket.SerializableLayer {
	switch {
	case p.Offset != 0:
	case p.Proto == TCP:
		tcp := &layers.TCP{
			SrcPort: layers.TCPPort(p.SrcPort), DstPort: layers.TCPPort(p.DstPort), Seq: p.Seq, Window: 65535,
			FIN: p.Flags&FIN != 0, SYN: p.Flags&SYN != 0, RST: p.Flags&RST != 0,
			PSH: p.Flags&PSH != 0, ACK: p.Flags&ACK != 0, Options: p.TCPOptions,
		}
		must(tcp.SetNetworkLayerForChecksum(network))
		return []gopacket.SerializableLayer{tcp}
	case p.Proto == UDP:
		udp := &layers.UDP{SrcPort: layers.UDPPort(p.SrcPort), DstPort: layers.UDPPort(p.DstPort)}
		must(udp.SetNetworkLayerForChecksum(network))
		return []gopacket.SerializableLayer{udp}
	}
	return nil
}

// spoil makes the checksum of the TCP or UDP header at l4 wrong, as asked.
func (p Packet) spoil(l4 []byte) {
	at := 16
	switch {
	case p.Offset != 0 || p.Proto != TCP && p.Proto != UDP:
		return
	case p.Proto == UDP:
		at = 6
	}
	sum := uint32(l4[at])<<8 | uint32(l4[at+1])
	sum += uint32(p.SumError)
	sum = sum&0xffff + sum>>16
	if p.NoSum || p.Proto == TCP && sum == 0xffff { // 0 by its other name, which no TCP writes
		sum = 0
	}
	l4[at], l4[at+1] = byte(sum>>8), byte(sum)
}

// Back is a packet the other way: addresses and ports exchanged.
func (p Packet) Back() Packet {
	p.SrcMAC, p.DstMAC = p.DstMAC, p.SrcMAC
	p.Src, p.Dst = p.Dst, p.Src
	p.SrcPort, p.DstPort = p.DstPort, p.SrcPort
	return p
}

// Serialize joins layers to bytes, with lengths and checksums filled in.
func Serialize(stack ...gopacket.SerializableLayer) []byte {
	buf := gopacket.NewSerializeBuffer()
	must(gopacket.SerializeLayers(buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...))
	return append([]byte(nil), buf.Bytes()...)
}

// IP reads an address; it panics when text is none.
func IP(text string) net.IP { return net.IP(netip.MustParseAddr(text).AsSlice()) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}
