package packet_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

func TestEthernetView(t *testing.T) {
	f := tcpPacket().Bytes()
	eth := packet.EthernetAt(f)
	assert.Equal(t, us.Raw(), eth.DstRaw())
	assert.Equal(t, them.Raw(), eth.SrcRaw())
	assert.EqualValues(t, packet.EtherTypeIPv4, eth.Type())
	dst, src := packet.MAC{1, 2, 3, 4, 5, 6}, packet.MAC{7, 8, 9, 10, 11, 12}
	eth.SetAddresses(dst.Raw()|src.Raw()<<48, uint32(src.Raw()>>16))
	assert.Equal(t, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0}, f[:14])
}

func TestIPv4View(t *testing.T) {
	p := tcpPacket()
	p.DF, p.TTL = true, 7
	f := p.Bytes()
	ip := packet.IPv4At(f, 14)
	assert.Equal(t, []int{4, 20, len(f) - 14, 7, 6}, []int{int(ip.Version()), ip.HeaderLen(), ip.TotalLen(), int(ip.TTL()), int(ip.Proto())})
	assert.True(t, ip.DontFragment())
	assert.False(t, ip.Fragment(), "DF is no fragment")
	for _, change := range []func(*frame.Packet){
		func(p *frame.Packet) { p.MF = true },
		func(p *frame.Packet) { p.Offset = 1 },
		func(p *frame.Packet) { p.Offset = 0x1fff },
		func(p *frame.Packet) { p.Offset = 0x0100 },
	} {
		assert.True(t, packet.IPv4At(with(other(99), change).Bytes(), 14).Fragment())
	}
}

func TestTransportViews(t *testing.T) {
	tcp := packet.TCPAt(tcpPacket().Bytes(), 34)
	assert.Equal(t, 20, tcp.HeaderLen())
	assert.EqualValues(t, packet.SYN, tcp.Flags())
	assert.Equal(t, 13, packet.UDPAt(udpPacket().Bytes(), 34).Len())
}
