package packet_test

import (
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// parseCase is a frame and what the gate must say.
type parseCase struct {
	name    string
	frame   []byte
	verdict packet.Verdict
	class   packet.KernelClass // valid iff verdict is Kernel
}

func TestParseVerdicts(t *testing.T) {
	for _, cases := range [][]parseCase{ethernetCases(), ipCases(), optionCases(), l4Cases(), kernelCases()} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				var p packet.Parsed
				assert.Equal(t, c.verdict.String(), packet.Parse(c.frame, &gate, &p).String())
				if c.verdict == packet.Kernel {
					assert.Equal(t, c.class.String(), p.Class.String())
				}
			})
		}
	}
}

func ethernetCases() []parseCase {
	virtual := func(mac ...byte) []byte {
		return with(tcpPacket(), func(p *frame.Packet) { p.DstMAC = frame.MAC(mac) }).Bytes()
	}
	return []parseCase{
		{"empty", nil, packet.DropTruncated, 0},
		{"13 bytes", ethernet(us, 0x0806, 0)[:13], packet.DropTruncated, 0},
		{"14 bytes", ethernet(us, 0x0806, 0), packet.Kernel, packet.ClassNeighbour},
		{"for us", tcpPacket().Bytes(), packet.Pending, 0},
		{"one bit off our address", virtual(2, 0, 0, 0, 0, 3), packet.DropForeignMAC, 0},
		{"first byte off", virtual(6, 0, 0, 0, 0, 1), packet.DropForeignMAC, 0},
		{"VRRP IPv4", virtual(0, 0, 0x5e, 0, 1, 77), packet.Pending, 0},
		{"VRRP IPv6", virtual(0, 0, 0x5e, 0, 2, 1), packet.Pending, 0},
		{"IANA, not VRRP", virtual(0, 0, 0x5e, 0, 3, 1), packet.DropForeignMAC, 0},
		{"IANA multicast prefix", virtual(0, 0, 0x5e, 1, 1, 1), packet.DropForeignMAC, 0},
		{"unicast IP in broadcast", virtual(255, 255, 255, 255, 255, 255), packet.DropForeignMAC, 0},
		{"unicast IP in multicast", virtual(1, 0, 0x5e, 0, 0, 1), packet.DropForeignMAC, 0},
		{"802.1Q", ethernet(us, 0x8100, 60), packet.DropUnknownVLAN, 0},
		{"802.1ad", ethernet(us, 0x88a8, 60), packet.DropUnknownVLAN, 0},
		{"802.1Q to somebody else", ethernet(them, 0x8100, 60), packet.DropForeignMAC, 0},
	}
}

func ipCases() []parseCase {
	from := func(src string) []byte { return with(udpPacket(), func(p *frame.Packet) { p.Src = src }).Bytes() }
	fragment := func(offset uint16, more bool, proto uint8) []byte {
		return with(other(proto), func(p *frame.Packet) { p.Offset, p.MF = offset, more }).Bytes()
	}
	whole := tcpPacket().Bytes()
	corrupt := tcpPacket().Bytes()
	corrupt[24] ^= 1
	return []parseCase{
		{"19 bytes of header", whole[:33], packet.DropTruncated, 0},
		{"version 6", patch(tcpPacket(), 14, 0x65), packet.DropBadIPHeader, 0},
		{"header of 16 bytes", patch(tcpPacket(), 14, 0x44), packet.DropBadIPHeader, 0},
		{"total length below header", patch(tcpPacket(), 16, 0, 19), packet.DropBadIPHeader, 0},
		{"total length is header", patch(tcpPacket(), 16, 0, 20), packet.DropBadL4Header, 0},
		{"header beyond total length", patch(tcpPacket(), 14, 0x4f, 0, 0, 59), packet.DropBadIPHeader, 0},
		{"total length one too long", patch(tcpPacket(), 16, 0, byte(len(whole)-13)), packet.DropTruncated, 0},
		{"last byte missing", whole[:len(whole)-1], packet.DropTruncated, 0},
		{"total length 65535", patch(tcpPacket(), 16, 0xff, 0xff), packet.DropTruncated, 0},
		{"padded", append(tcpPacket().Bytes(), 1, 2, 3), packet.Pending, 0},
		{"checksum", corrupt, packet.DropBadIPChecksum, 0},
		{"from this network", from("0.1.2.3"), packet.DropMartian, 0},
		{"from 1.0.0.0", from("1.0.0.0"), packet.Pending, 0},
		{"from loopback", from("127.0.0.1"), packet.DropMartian, 0},
		{"from 126", from("126.255.255.255"), packet.Pending, 0},
		{"from 128", from("128.0.0.0"), packet.Pending, 0},
		{"from multicast", from("224.0.0.1"), packet.DropMartian, 0},
		{"from 223", from("223.255.255.255"), packet.Pending, 0},
		{"from reserved", from("240.0.0.1"), packet.DropMartian, 0},
		{"from broadcast", from("255.255.255.255"), packet.DropMartian, 0},
		{"from its destination", from("192.0.2.10"), packet.DropMartian, 0},
		{"first fragment", fragment(0, true, frame.UDP), packet.Pending, 0},
		{"middle fragment", fragment(10, true, frame.TCP), packet.Pending, 0},
		{"last fragment", fragment(10, false, frame.TCP), packet.Pending, 0},
		{"fragment of ping", fragment(10, false, frame.ICMP), packet.Kernel, packet.ClassOther},
		{"fragment of OSPF", fragment(10, true, 89), packet.Kernel, packet.ClassRouting},
	}
}

func optionCases() []parseCase {
	options := func(bytes ...byte) []byte {
		p := with(udpPacket(), func(p *frame.Packet) {
			for range len(bytes) {
				p.Options = append(p.Options, layers.IPv4Option{OptionType: 1})
			}
		})
		return patch(p, 34, bytes...)
	}
	bad := options(1, 1, 1, 1)
	bad[37] = 7 // covered by the checksum, which it makes wrong
	return []parseCase{
		{"no operation", options(1, 1, 1, 1), packet.Pending, 0},
		{"end of list, then anything", options(0, 131, 3, 4), packet.Pending, 0},
		{"checksum of options", bad, packet.DropBadIPChecksum, 0},
		{"record route", options(7, 7, 4, 0, 0, 0, 0, 0), packet.Pending, 0},
		{"loose source route", options(131, 7, 4, 10, 0, 0, 1, 0), packet.DropSourceRoute, 0},
		{"strict source route behind others", options(1, 148, 4, 0, 0, 137, 3, 4), packet.DropSourceRoute, 0},
		{"looks like one inside another", options(68, 8, 5, 0, 131, 137, 131, 137), packet.Pending, 0},
		{"length 0", options(68, 0, 1, 1), packet.DropSourceRoute, 0},
		{"length 1", options(68, 1, 1, 1), packet.DropSourceRoute, 0},
		{"length 2", options(68, 2, 1, 1), packet.Pending, 0},
		{"no length", options(1, 1, 1, 68), packet.DropSourceRoute, 0},
		{"length to the end", options(68, 4, 1, 1), packet.Pending, 0},
		{"length beyond the header", options(68, 5, 1, 1), packet.DropSourceRoute, 0},
		{"40 bytes", options(make([]byte, 40)...), packet.Pending, 0},
	}
}

func l4Cases() []parseCase {
	cut := func(p frame.Packet, l4 int) []byte { // IP packet with that much behind its header
		b := p.Bytes()[:34+l4]
		b[16], b[17] = 0, byte(20+l4)
		return sealed(b)
	}
	bare := func(p frame.Packet) frame.Packet { p.Payload = nil; return p }
	return []parseCase{
		{"TCP header of 19", cut(tcpPacket(), 19), packet.DropBadL4Header, 0},
		{"TCP header of 20", cut(tcpPacket(), 20), packet.Pending, 0},
		{"TCP offset 4", patch(tcpPacket(), 46, 0x40), packet.DropBadL4Header, 0},
		{"TCP offset beyond packet", patch(bare(tcpPacket()), 46, 0x60), packet.DropBadL4Header, 0},
		{"TCP offset to the end", patch(with(tcpPacket(), func(p *frame.Packet) { p.Payload = make([]byte, 4) }), 46, 0x60), packet.Pending, 0},
		{"TCP offset into padding", append(patch(bare(tcpPacket()), 46, 0x60), 0, 0, 0, 0), packet.DropBadL4Header, 0},
		{"UDP header of 7", cut(udpPacket(), 7), packet.DropBadL4Header, 0},
		{"UDP length 8", patch(bare(udpPacket()), 38, 0, 8), packet.Pending, 0},
		{"UDP length 7", patch(udpPacket(), 38, 0, 7), packet.DropBadL4Header, 0},
		{"UDP length 0", patch(udpPacket(), 38, 0, 0), packet.DropBadL4Header, 0},
		{"UDP length below the packet's", patch(udpPacket(), 38, 0, 12), packet.Pending, 0},
		{"UDP length beyond", patch(udpPacket(), 38, 0, 14), packet.DropBadL4Header, 0},
		{"UDP length into padding", append(patch(udpPacket(), 38, 0, 14), 0), packet.DropBadL4Header, 0},
	}
}

func kernelCases() []parseCase {
	group := func(mac packet.MAC, src, dst string, proto uint8) []byte {
		return with(other(proto), func(p *frame.Packet) { p.DstMAC, p.Src, p.Dst = mac, src, dst }).Bytes()
	}
	v6 := func(dst packet.MAC, next, kind byte) []byte {
		b := ethernet(dst, 0x86dd, 48)
		b[14], b[19], b[20], b[21] = 0x60, 8, next, 255
		b[22], b[37], b[38], b[53] = 0xfe, 3, 0xfd, 1 // from fe00::3 to fd00::1
		if dst[0] == 0x33 {
			b[38] = 0xff
		}
		b[54] = kind
		return b
	}
	broadcast := packet.MAC{255, 255, 255, 255, 255, 255}
	routers, allV6 := packet.MAC{1, 0, 0x5e, 0, 0, 5}, packet.MAC{0x33, 0x33, 0, 0, 0, 1}
	return []parseCase{
		{"ARP", ethernet(broadcast, 0x0806, 46), packet.Kernel, packet.ClassNeighbour},
		{"LACP", ethernet(packet.MAC{1, 0x80, 0xc2, 0, 0, 2}, 0x8809, 46), packet.Kernel, packet.ClassRouting},
		{"802.3 with LLC", ethernet(packet.MAC{1, 0x80, 0xc2, 0, 0, 0}, 38, 46), packet.Kernel, packet.ClassOther},
		{"ping", other(frame.ICMP).Bytes(), packet.Kernel, packet.ClassOther},
		{"OSPF", other(89).Bytes(), packet.Kernel, packet.ClassRouting},
		{"VRRP", group(packet.MAC{1, 0, 0x5e, 0, 0, 18}, "10.0.0.3", "224.0.0.18", 112), packet.Kernel, packet.ClassRouting},
		{"OSPF hello", group(routers, "10.0.0.3", "224.0.0.5", 89), packet.Kernel, packet.ClassRouting},
		{"IGMP", group(routers, "10.0.0.3", "224.0.0.22", 2), packet.Kernel, packet.ClassOther},
		{"DHCP", group(broadcast, "0.0.0.0", "255.255.255.255", frame.UDP), packet.Kernel, packet.ClassOther},
		{"class E", group(us, "10.0.0.3", "240.0.0.1", frame.TCP), packet.Kernel, packet.ClassOther},
		{"IPv6 39 bytes", v6(us, 6, 0)[:53], packet.DropTruncated, 0},
		{"IPv6 40 bytes", v6(us, 58, 135)[:54], packet.DropTruncated, 0},
		{"IPv6 TCP too short", v6(us, 6, 135), packet.DropBadL4Header, 0},
		{"IPv6 OSPF", v6(allV6, 89, 0), packet.Kernel, packet.ClassRouting},
		{"IPv6 ping", v6(us, 58, 128), packet.Kernel, packet.ClassOther},
		{"router solicitation", v6(allV6, 58, 133), packet.Kernel, packet.ClassNeighbour},
		{"redirect", v6(us, 58, 137), packet.Kernel, packet.ClassNeighbour},
		{"listener report", v6(allV6, 58, 132), packet.Kernel, packet.ClassOther},
		{"beyond redirect", v6(us, 58, 138), packet.Kernel, packet.ClassOther},
	}
}

func TestParseFields(t *testing.T) {
	f := with(tcpPacket(), func(p *frame.Packet) {
		p.Flags, p.Padding, p.Options = frame.FIN|frame.ACK, 7, []layers.IPv4Option{{OptionType: 1}}
	}).Bytes()
	var p packet.Parsed
	assert.Equal(t, packet.Pending, packet.Parse(f, &gate, &p))
	assert.Equal(t, packet.Parsed{
		Addrs: 0x0a0200c0_077100cb, Ports: 0x5000_419c, L3: 14, L4: 38, End: uint16(len(f) - 7),
		Proto: 6, TCPFlags: frame.FIN | frame.ACK, Class: packet.ClassOther,
	}, p)
	assert.Equal(t, len(f)-7-14, p.Len())
}

// TestParseForgets: what the last frame left in a reused Parsed is gone.
func TestParseForgets(t *testing.T) {
	var p packet.Parsed
	assert.Equal(t, packet.Pending, packet.Parse(tcpPacket().Bytes(), &gate, &p))
	udp := udpPacket()
	assert.Equal(t, packet.Pending, packet.Parse(udp.Bytes(), &gate, &p))
	assert.Zero(t, p.TCPFlags)
	udp.Offset = 3
	assert.Equal(t, packet.Pending, packet.Parse(udp.Bytes(), &gate, &p))
	assert.True(t, p.Fragment)
	assert.Zero(t, p.Ports)
	assert.Zero(t, p.L4)
}

func TestClassOfPorts(t *testing.T) {
	raw := func(src, dst uint16) uint32 { return uint32(src>>8|src<<8) | uint32(dst>>8|dst<<8)<<16 }
	for _, c := range []struct {
		proto    uint8
		src, dst uint16
		class    packet.KernelClass
	}{
		{frame.TCP, 179, 40000, packet.ClassRouting},
		{frame.TCP, 40000, 179, packet.ClassRouting},
		{frame.UDP, 40000, 179, packet.ClassOther},
		{frame.UDP, 49152, 3784, packet.ClassRouting},
		{frame.UDP, 3785, 3785, packet.ClassRouting},
		{frame.UDP, 49152, 4784, packet.ClassRouting},
		{frame.UDP, 49152, 3783, packet.ClassOther},
		{frame.TCP, 49152, 3784, packet.ClassOther},
		{frame.TCP, 0xb300, 22, packet.ClassOther}, // 179 with its bytes swapped
	} {
		assert.Equal(t, c.class, packet.ClassOfPorts(c.proto, raw(c.src, c.dst)), "%+v", c)
	}
}
