package packet_test

import (
	"encoding/binary"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

// FuzzParse: no frame makes the gate panic, and what it lets pass is what
// gopacket reads in it, too.
func FuzzParse(f *testing.F) {
	for _, cases := range [][]parseCase{ethernetCases(), ipCases(), optionCases(), l4Cases(), kernelCases(), taggedCases(), errorCases(), ipv6Cases()} {
		for _, c := range cases {
			f.Add(c.frame, false)
			f.Add(c.frame, true)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, repair bool) {
		if len(data) > 65535 {
			return // no Buf has it
		}
		if repair && len(data) > 34 { // or hardly anything gets past the checksum
			data = sealed(append([]byte(nil), data...))
		}
		before := string(data)
		var p packet.Parsed
		verdict := packet.Parse(data, &gate, &p)
		require.Equal(t, before, string(data), "the gate changed the frame")
		switch verdict {
		case packet.Pending:
			checkPending(t, data, &p)
		case packet.Kernel:
			require.Less(t, p.Class, packet.NumKernelClasses)
		default:
			require.True(t, verdict.IsDrop(), verdict)
		}
	})
}

// checkPending compares what Parse promises about a Pending packet with gopacket.
func checkPending(t *testing.T, data []byte, p *packet.Parsed) {
	var tag layers.Dot1Q
	if binary.BigEndian.Uint16(data[12:]) == packet.EtherTypeVLAN {
		require.NoError(t, tag.DecodeFromBytes(data[14:], gopacket.NilDecodeFeedback))
		require.EqualValues(t, packet.EthernetLen+packet.VLANLen, p.L3)
		require.Contains(t, []uint16{0, ourVLAN}, p.VLAN)
	} else {
		require.EqualValues(t, packet.EthernetLen, p.L3)
	}
	require.Equal(t, tag.VLANIdentifier, p.VLAN)
	require.LessOrEqual(t, int(p.End), len(data))
	if p.IPv6 {
		checkIPv6(t, data, p)
	} else {
		checkIPv4(t, data, p)
	}
	require.Contains(t, []uint8{packet.ProtoTCP, packet.ProtoUDP}, p.Proto)
	switch {
	case p.Fragment:
		require.False(t, p.Error)
	case p.Error:
		checkError(t, data, p)
	default:
		checkTransport(t, data, p)
	}
}

func checkIPv4(t *testing.T, data []byte, p *packet.Parsed) {
	var ip layers.IPv4
	require.NoError(t, ip.DecodeFromBytes(data[p.L3:], gopacket.NilDecodeFeedback))
	err, sum := ip.VerifyChecksum()
	require.NoError(t, err)
	require.True(t, sum.Valid)
	require.EqualValues(t, 4, ip.Version)
	require.Equal(t, int(ip.Length), p.Len())
	require.True(t, ip.DstIP[0] < 224 && ip.SrcIP[0] < 224 && !ip.SrcIP.IsLoopback() && !ip.SrcIP.Equal(ip.DstIP))
	require.Equal(t, ip.FragOffset != 0 || ip.Flags&layers.IPv4MoreFragments != 0, p.Fragment)
	if !p.Fragment {
		require.Equal(t, int(p.L3)+4*int(ip.IHL), int(p.L4))
	}
	if !p.Error {
		require.EqualValues(t, ip.Protocol, p.Proto)
		require.Equal(t, append(append([]byte{}, ip.SrcIP...), ip.DstIP...), binary.LittleEndian.AppendUint64(nil, p.Addrs))
	}
}

func checkIPv6(t *testing.T, data []byte, p *packet.Parsed) {
	ip := data[p.L3:]
	require.EqualValues(t, 6, ip[0]>>4)
	require.Equal(t, 40+int(binary.BigEndian.Uint16(ip[4:])), p.Len())
	require.NotEqualValues(t, 0xff, ip[24], "for a group")
	require.NotEqual(t, ip[8:24], ip[24:40])
	if !p.Fragment {
		require.GreaterOrEqual(t, int(p.L4), int(p.L3)+packet.IPv6Len)
		require.Zero(t, (int(p.L4)-int(p.L3))%8, "extension headers are multiples of 8 bytes")
	}
}

// checkError reads the quoted packet with gopacket.
func checkError(t *testing.T, data []byte, p *packet.Parsed) {
	at := p.Quoted()
	require.LessOrEqual(t, at+packet.IPv4Len+8, int(p.End))
	require.Zero(t, p.TCPFlags)
	quoted := data[at:p.End]
	if !p.IPv6 {
		require.Equal(t, at+4*int(quoted[0]&0xf), int(p.QuotedL4))
		require.Equal(t, p.Proto, quoted[9])
		require.Equal(t, append(append([]byte{}, quoted[16:20]...), quoted[12:16]...), binary.LittleEndian.AppendUint64(nil, p.Addrs))
	}
	require.LessOrEqual(t, int(p.QuotedL4)+8, int(p.End))
	require.GreaterOrEqual(t, int(p.QuotedL4), at+packet.IPv4Len)
	l4 := data[p.QuotedL4:]
	require.Equal(t, append(append([]byte{}, l4[2:4]...), l4[0:2]...), binary.LittleEndian.AppendUint32(nil, p.Ports))
}

func checkTransport(t *testing.T, data []byte, p *packet.Parsed) {
	l4 := data[p.L4:p.End]
	require.Equal(t, l4[:4], binary.LittleEndian.AppendUint32(nil, p.Ports))
	if p.Proto == packet.ProtoUDP {
		var udp layers.UDP
		require.NoError(t, udp.DecodeFromBytes(l4, gopacket.NilDecodeFeedback))
		require.LessOrEqual(t, int(udp.Length), len(l4))
		require.GreaterOrEqual(t, int(udp.Length), packet.UDPLen)
		require.Zero(t, p.TCPFlags)
		return
	}
	l4 = append([]byte(nil), l4...)
	clear(l4[20:min(60, len(l4))]) // gopacket refuses malformed TCP options, which are the ends' to judge
	var tcp layers.TCP
	require.NoError(t, tcp.DecodeFromBytes(l4, gopacket.NilDecodeFeedback))
	require.GreaterOrEqual(t, int(tcp.DataOffset), 5)
	require.LessOrEqual(t, 4*int(tcp.DataOffset), len(l4))
	flag := func(bit uint8) bool { return p.TCPFlags&bit != 0 }
	require.Equal(t, []bool{tcp.FIN, tcp.SYN, tcp.RST, tcp.ACK},
		[]bool{flag(packet.FIN), flag(packet.SYN), flag(packet.RST), flag(packet.ACK)})
}
