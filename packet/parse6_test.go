package packet_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// ourVLAN is the only one that gate allows.
const ourVLAN = 100

func init() { gate.Allow(ourVLAN) }

func TestParseMore(t *testing.T) {
	for _, cases := range [][]parseCase{taggedCases(), errorCases(), ipv6Cases()} {
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

// tagged puts an 802.1Q tag into a frame.
func tagged(f []byte, tci uint16) []byte {
	out := append([]byte{}, f[:12]...)
	out = binary.BigEndian.AppendUint16(append(out, 0x81, 0), tci)
	return append(out, f[12:]...)
}

func taggedCases() []parseCase {
	tcp := tcpPacket().Bytes()
	bad := tagged(tcp, ourVLAN)
	bad[28] ^= 1 // IPv4 checksum
	qinq := tagged(tagged(tcp, ourVLAN), ourVLAN)
	service := tagged(tcp, ourVLAN)
	service[12], service[13] = 0x88, 0xa8
	return []parseCase{
		{"our VLAN", tagged(tcp, ourVLAN), packet.Pending, 0},
		{"our VLAN with a priority", tagged(tcp, 0xe000|ourVLAN), packet.Pending, 0},
		{"priority tag", tagged(tcp, 0xe000), packet.Pending, 0},
		{"next VLAN", tagged(tcp, ourVLAN+1), packet.DropUnknownVLAN, 0},
		{"64 further", tagged(tcp, ourVLAN+64), packet.DropUnknownVLAN, 0},
		{"VLAN 4095", tagged(tcp, 4095), packet.DropUnknownVLAN, 0},
		{"two tags", qinq, packet.DropUnknownVLAN, 0},
		{"service tag", service, packet.DropUnknownVLAN, 0},
		{"17 bytes", tagged(tcp, ourVLAN)[:17], packet.DropTruncated, 0},
		{"tag alone", tagged(tcp, ourVLAN)[:18], packet.DropTruncated, 0},
		{"tagged and cut", tagged(tcp, ourVLAN)[:len(tcp)+3], packet.DropTruncated, 0},
		{"tagged and corrupt", bad, packet.DropBadIPChecksum, 0},
		{"tagged ARP", tagged(ethernet(us, 0x0806, 46), ourVLAN), packet.Kernel, packet.ClassNeighbour},
	}
}

// icmp is an ICMP message for us, quoting so many bytes of an IP packet.
func icmp(kind, code byte, quoted []byte, n int) []byte {
	p := other(frame.ICMP)
	p.Payload = append([]byte{kind, code, 0, 0, 0, 0, 0, 0}, quoted[:n]...)
	return p.Bytes()
}

func errorCases() []parseCase {
	quoted := tcpPacket().Bytes()[14:]
	udp := udpPacket().Bytes()[14:]
	later := with(other(frame.UDP), func(p *frame.Packet) { p.Offset = 7 }).Bytes()[14:]
	ping := other(frame.ICMP).Bytes()[14:]
	return []parseCase{
		{"unreachable", icmp(3, 1, quoted, len(quoted)), packet.Pending, 0},
		{"time exceeded", icmp(11, 0, udp, len(udp)), packet.Pending, 0},
		{"parameter problem", icmp(12, 0, udp, len(udp)), packet.Kernel, packet.ClassOther},
		{"eight bytes quoted", icmp(3, 4, quoted, 28), packet.Pending, 0},
		{"seven bytes quoted", icmp(3, 4, quoted, 27), packet.Kernel, packet.ClassOther},
		{"nothing quoted", icmp(3, 4, quoted, 0), packet.Kernel, packet.ClassOther},
		{"redirect", icmp(5, 0, quoted, 28), packet.Kernel, packet.ClassOther},
		{"source quench", icmp(4, 0, quoted, 28), packet.Pending, 0},
		{"echo", icmp(8, 0, quoted, 28), packet.Kernel, packet.ClassOther},
		{"about a later fragment", icmp(3, 1, later, 28), packet.Kernel, packet.ClassOther},
		{"about a ping", icmp(3, 1, ping, 28), packet.Kernel, packet.ClassOther},
		{"message of seven bytes", with(other(frame.ICMP), func(p *frame.Packet) { p.Payload = make([]byte, 7) }).Bytes(), packet.DropBadL4Header, 0},
	}
}

// v6 is an IPv6 frame for us: headers and payload as they are.
func v6(src, dst string, next byte, rest ...byte) []byte {
	b := ethernet(us, 0x86dd, 40)
	ip := b[14:]
	ip[0], ip[6], ip[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(ip[4:], uint16(len(rest)))
	copy(ip[8:], netip.MustParseAddr(src).AsSlice())
	copy(ip[24:], netip.MustParseAddr(dst).AsSlice())
	if dst[0] == 'f' && dst[1] == 'f' {
		b[0], b[1] = 0x33, 0x33
	}
	return append(b, rest...)
}

func ipv6Cases() []parseCase {
	const a, b = "2001:db8::1", "2001:db8::2"
	tcp := append([]byte{0x9c, 0x41, 0, 80, 11: 0, 12: 0x50, 13: 2, 19: 0}, 0)
	udp := []byte{0x9c, 0x41, 0, 53, 0, 8, 0, 0}
	chain := func(next byte, parts ...[]byte) []byte {
		var rest []byte
		for _, p := range parts {
			rest = append(rest, p...)
		}
		return v6(a, b, next, rest...)
	}
	ext := func(next, units byte) []byte { return append([]byte{next, units}, make([]byte, 6+8*int(units))...) }
	fragment := func(next byte, field uint16) []byte {
		return []byte{next, 0xff, byte(field >> 8), byte(field), 1, 2, 3, 4}
	}
	quote := v6(b, a, 6, tcp...)[14:]
	extended := v6(b, a, 60, append(ext(17, 1), udp...)...)[14:]
	laterQuote := v6(b, a, 44, append(fragment(17, 8), udp...)...)[14:]
	version := chain(6, tcp)
	version[14] = 0x40
	broadcast := chain(6, tcp)
	broadcast[0] = 0xff
	return []parseCase{
		{"tcp", chain(6, tcp), packet.Pending, 0},
		{"udp", chain(17, udp), packet.Pending, 0},
		{"39 bytes", chain(6, tcp)[:53], packet.DropTruncated, 0},
		{"payload cut", chain(6, tcp)[:14+40+19], packet.DropTruncated, 0},
		{"padded v6", append(chain(17, udp), 0, 0), packet.Pending, 0},
		{"version 4", version, packet.DropBadIPHeader, 0},
		{"tcp header of 19", chain(6, tcp[:19]), packet.DropBadL4Header, 0},
		{"hop-by-hop and destination", chain(0, ext(60, 1), ext(17, 0), udp), packet.Pending, 0},
		{"routing type 0", chain(43, ext(17, 2), udp), packet.DropSourceRoute, 0},
		{"routing with segments left", chain(43, []byte{17, 0, 4, 1, 0, 0, 0, 0}, udp), packet.Kernel, packet.ClassOther},
		{"routing type 4", chain(43, []byte{17, 0, 4, 0, 0, 0, 0, 0}, udp), packet.Pending, 0},
		{"extension beyond packet", chain(0, ext(17, 0)[:8], udp[:0]), packet.DropBadL4Header, 0},
		{"extension of 16 in 8", chain(0, []byte{17, 1, 0, 0, 0, 0, 0, 0}), packet.DropBadIPHeader, 0},
		{"extension of 7", chain(0, make([]byte, 7)), packet.DropBadIPHeader, 0},
		{"nine extensions", chain(60, ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(60, 0), ext(17, 0), udp), packet.DropBadIPHeader, 0},
		{"first fragment v6", chain(44, fragment(17, 1), udp), packet.Pending, 0},
		{"later fragment v6", chain(44, fragment(6, 8), udp), packet.Pending, 0},
		{"atomic fragment", chain(44, fragment(17, 6), udp), packet.Pending, 0},
		{"fragment of others", chain(44, fragment(58, 9), udp), packet.Kernel, packet.ClassOther},
		{"ping v6", chain(58, []byte{128, 0, 0, 0, 0, 0, 0, 0}), packet.Kernel, packet.ClassOther},
		{"ICMPv4 in IPv6", chain(1, []byte{3, 0, 0, 0, 0, 0, 0, 0}, quote), packet.Kernel, packet.ClassOther},
		{"too big v6", chain(58, []byte{2, 0, 0, 0, 0, 0, 5, 0}, quote), packet.Pending, 0},
		{"unreachable, quote cut", chain(58, []byte{1, 0, 0, 0, 0, 0, 0, 0}, quote[:47]), packet.Kernel, packet.ClassOther},
		{"too big about an extended packet", chain(58, []byte{2, 0, 0, 0, 0, 0, 5, 0}, extended), packet.Pending, 0},
		{"about a later fragment v6", chain(58, []byte{1, 0, 0, 0, 0, 0, 0, 0}, laterQuote), packet.Kernel, packet.ClassOther},
		{"neighbour advertisement", chain(58, []byte{136, 0, 0, 0, 0, 0, 0, 0}), packet.Kernel, packet.ClassNeighbour},
		{"OSPFv3", chain(89, make([]byte, 16)), packet.Kernel, packet.ClassRouting},
		{"solicitation to the group", v6("::", "ff02::1:ff00:1", 58, 135, 0, 0, 0, 0, 0, 0, 0), packet.Kernel, packet.ClassNeighbour},
		{"from loopback v6", v6("::1", b, 17, udp...), packet.DropMartian, 0},
		{"from unspecified", v6("::", b, 17, udp...), packet.DropMartian, 0},
		{"from IPv4-mapped", v6("::ffff:192.0.2.1", b, 17, udp...), packet.DropMartian, 0},
		{"from ::2", v6("::2", b, 17, udp...), packet.Pending, 0},
		{"from a group", v6("ff02::1", b, 17, udp...), packet.DropMartian, 0},
		{"from its destination v6", v6(b, b, 17, udp...), packet.DropMartian, 0},
		{"unicast in a group frame", broadcast, packet.DropForeignMAC, 0},
	}
}

// TestParsedError: an error carries the quoted tuple reversed.
func TestParsedError(t *testing.T) {
	var p packet.Parsed
	f := icmp(3, 1, tcpPacket().Bytes()[14:], 28)
	assert.Equal(t, packet.Pending, packet.Parse(f, &gate, &p))
	assert.Equal(t, packet.Parsed{
		Addrs: 0x077100cb_0a0200c0, Ports: 0x419c_5000, L3: 14, L4: 34, End: uint16(len(f)), QuotedL4: 62,
		Proto: 6, Error: true, Class: packet.ClassOther,
	}, p)
	assert.Equal(t, 42, p.Quoted())
}

// TestParsedFragments: only an offset or more to come make a fragment (RFC 6946).
func TestParsedFragments(t *testing.T) {
	udp := []byte{0x9c, 0x41, 0, 53, 0, 8, 0, 0}
	for field, want := range map[byte]bool{0: false, 6: false, 1: true, 7: true, 8: true} {
		var p packet.Parsed
		f := v6("2001:db8::1", "2001:db8::2", 44, append([]byte{17, 0, 0, field, 1, 2, 3, 4}, udp...)...)
		assert.Equal(t, packet.Pending, packet.Parse(f, &gate, &p))
		assert.Equal(t, want, p.Fragment, field)
	}
}

// TestParsedTag: offsets count from the frame's start, tag included.
func TestParsedTag(t *testing.T) {
	var p packet.Parsed
	f := tagged(udpPacket().Bytes(), ourVLAN)
	assert.Equal(t, packet.Pending, packet.Parse(f, &gate, &p))
	assert.Equal(t, []int{ourVLAN, 18, 38, len(f)}, []int{int(p.VLAN), int(p.L3), int(p.L4), int(p.End)})
}
