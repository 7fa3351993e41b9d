package load

import (
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// An independent encoder, given what is in a frame, makes the same frame.
func TestFramesAreWellFormed(t *testing.T) {
	for _, s := range []Setup{
		{Mode: service.ModeFullNAT}, {Mode: service.ModeNAT, TCP: true},
		{Mode: service.ModeDR, IPv6: true, Services: 3}, {Mode: service.ModeTun, IPv6: true, TCP: true},
	} {
		g, err := NewGateway(packet.MAC{2, 0, 0, 0, 0, 9}, s)
		require.NoError(t, err)
		f := g.Frames()
		frame := make([]byte, f.Len())
		for _, i := range []int{0, 1, 17, 999_999, 10_000_000} {
			f.Request(frame, i, packet.SYN)
			requireCanonical(t, frame)
		}
		f.Reply(frame, &Tuple{Addrs: [4]uint64{0x0201000a_0101000a, 7, 8, 9}, Ports: 0x1234_5678}, packet.ACK)
		requireCanonical(t, frame)
	}
}

func requireCanonical(t *testing.T, frame []byte) {
	t.Helper()
	p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	require.Nil(t, p.ErrorLayer())
	var all []gopacket.SerializableLayer
	for _, l := range p.Layers() {
		switch l := l.(type) {
		case *layers.TCP:
			require.NoError(t, l.SetNetworkLayerForChecksum(p.NetworkLayer()))
		case *layers.UDP:
			require.NoError(t, l.SetNetworkLayerForChecksum(p.NetworkLayer()))
		case gopacket.SerializableLayer:
		default:
			t.Fatalf("layer %v", l.LayerType())
		}
		if _, isPayload := l.(*gopacket.DecodeFailure); !isPayload {
			all = append(all, l.(gopacket.SerializableLayer))
		}
	}
	out := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializeLayers(out, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...))
	assert.Equal(t, out.Bytes(), frame)
}

func TestFlowsDiffer(t *testing.T) {
	g, err := NewGateway(packet.MAC{2}, Setup{Mode: service.ModeDR})
	require.NoError(t, err)
	f := g.Frames()
	seen := map[string]bool{}
	frame := make([]byte, f.Len())
	for i := range 100_000 {
		f.Request(frame, i, 0)
		seen[string(frame[26:38])] = true
	}
	assert.Len(t, seen, 100_000)
}

func TestAnswerGoesBack(t *testing.T) {
	g, err := NewGateway(packet.MAC{2}, Setup{Mode: service.ModeFullNAT, TCP: true})
	require.NoError(t, err)
	f := g.Frames()
	frame := make([]byte, f.Len())
	f.Request(frame, 5, packet.SYN)
	asked := append([]byte(nil), frame...)
	f.Answer(frame, packet.SYN|packet.ACK)
	assert.Equal(t, asked[26:30], frame[30:34])
	assert.Equal(t, asked[30:34], frame[26:30])
	assert.Equal(t, asked[34:36], frame[36:38])
	assert.Equal(t, asked[36:38], frame[34:36])
	assert.Equal(t, byte(packet.SYN|packet.ACK), frame[47])
}

func TestDraws(t *testing.T) {
	const n = 1000
	zipf, counts := Zipf(n), make([]int, n)
	for range 100_000 {
		counts[zipf()]++
	}
	most := 0
	for _, c := range counts {
		most = max(most, c)
	}
	assert.Equal(t, most, counts[0], "rank 0 stays where it is")
	assert.Greater(t, counts[0], 10_000, "a zipf draw of 1,000 at 1.1 gives its first about 18%")
	order := InOrder(3)
	assert.Equal(t, []int{0, 1, 2, 0}, []int{order(), order(), order(), order()})
	for range 1000 {
		assert.Less(t, Uniform(7)(), 7)
	}
}
