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
	for _, cases := range [][]parseCase{ethernetCases(), ipCases(), optionCases(), l4Cases(), kernelCases()} {
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
	require.EqualValues(t, packet.EthernetLen, p.L3)
	require.LessOrEqual(t, int(p.End), len(data))
	var ip layers.IPv4
	require.NoError(t, ip.DecodeFromBytes(data[p.L3:], gopacket.NilDecodeFeedback))
	err, sum := ip.VerifyChecksum()
	require.NoError(t, err)
	require.True(t, sum.Valid)
	require.EqualValues(t, 4, ip.Version)
	require.Equal(t, int(ip.Length), p.Len())
	require.EqualValues(t, ip.Protocol, p.Proto)
	require.Equal(t, append(append([]byte{}, ip.SrcIP...), ip.DstIP...), binary.LittleEndian.AppendUint64(nil, p.Addrs))
	require.True(t, ip.DstIP[0] < 224 && ip.SrcIP[0] < 224 && !ip.SrcIP.IsLoopback() && !ip.SrcIP.Equal(ip.DstIP))
	fragment := ip.FragOffset != 0 || ip.Flags&layers.IPv4MoreFragments != 0
	require.Equal(t, fragment, p.Fragment)
	if !fragment {
		checkTransport(t, data, &ip, p)
	}
}

func checkTransport(t *testing.T, data []byte, ip *layers.IPv4, p *packet.Parsed) {
	require.Equal(t, int(p.L3)+4*int(ip.IHL), int(p.L4))
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
	require.EqualValues(t, packet.ProtoTCP, p.Proto)
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
