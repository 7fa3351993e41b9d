package worker

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// benchFrame is what a benchmark's frame takes in bytes.
const benchFrame = 64

// benchFlows are whole bursts: about a thousand and a hundred thousand.
var benchFlows = []int{1024, 99968}

// feeder is a port that hands out bursts of 64 frames of random flows, always
// in the same 64 buffers. It copies each frame into its buffer, which a device
// would do by DMA: BenchmarkFeeder is that share of the others.
type feeder struct {
	packet.Port
	bufs   [packet.BurstSize]*packet.Buf
	frames []byte // benchFrame bytes each, in random order
	at     int
}

func newFeeder(port packet.Port, flows int, frame func(i int) []byte) *feeder {
	f := &feeder{Port: port}
	for i := range f.bufs {
		f.bufs[i] = packet.NewBuf(2048+128, 128)
	}
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(flows) {
		f.frames = append(f.frames, make([]byte, benchFrame)...)
		copy(f.frames[len(f.frames)-benchFrame:], frame(i))
	}
	return f
}

func (f *feeder) Rx(_ uint16, burst *packet.Burst) int {
	for i, b := range f.bufs {
		b.SetLen(benchFrame)
		copy(b.Bytes(), f.frames[f.at:f.at+benchFrame])
		if f.at += benchFrame; f.at == len(f.frames) {
			f.at = 0
		}
		burst[i] = b
	}
	return packet.BurstSize
}

func (f *feeder) Tx(_ uint16, _ *packet.Burst, n int) int { return n }

// silent is a port without frames.
type silent struct{ packet.Port }

func (silent) Rx(uint16, *packet.Burst) int            { return 0 }
func (silent) Tx(_ uint16, _ *packet.Burst, n int) int { return n }

// client is the i-th flow's request.
func client(i int) []byte {
	p := request(frame.UDP, 53, uint16(1024+i%50000))
	p.Src = fmt.Sprintf("203.0.113.%d", 1+i/50000)
	return p.Bytes()
}

// BenchmarkPoll is the worker's share of forwarding hits, in bursts of 64.
func BenchmarkPoll(b *testing.B) {
	for _, flows := range benchFlows {
		b.Run(fmt.Sprintf("dr/flows=%d", flows), func(b *testing.B) {
			benchPoll(b, dr(frame.UDP, 53, "10.0.0.1"), flows)
		})
		b.Run(fmt.Sprintf("fullnat/flows=%d", flows), func(b *testing.B) {
			benchPoll(b, fullnat(frame.UDP, 53, "10.0.0.1", "10.0.0.2"), flows)
		})
	}
}

func benchPoll(b *testing.B, svc world.Service, flows int) {
	r := newRig(b, options{flows: flows})
	r.world.Configure(svc)
	r.cfg.Ports[0] = newFeeder(r.ports[0], flows, client)
	r.cfg.Ports[1] = silent{r.ports[1]}
	for range flows / packet.BurstSize { // makes them
		r.Poll()
	}
	require.Equal(b, flows, r.table.Len())
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r.Poll()
	}
	b.StopTimer()
	perPacket(b)
	require.Equal(b, r.stats.received, r.stats.verdicts[packet.Forwarded])
}

// BenchmarkFeeder is what the benchmark's own port costs.
func BenchmarkFeeder(b *testing.B) {
	for _, flows := range benchFlows {
		b.Run(fmt.Sprintf("flows=%d", flows), func(b *testing.B) {
			f := newFeeder(nil, flows, client)
			var burst packet.Burst
			b.ResetTimer()
			for range b.N {
				f.Rx(0, &burst)
			}
			perPacket(b)
		})
	}
}

// BenchmarkNewFlows opens a flow with every packet.
func BenchmarkNewFlows(b *testing.B) {
	const flows = 1 << 16
	r := newRig(b, options{flows: flows})
	r.world.Configure(fullnat(frame.UDP, 53, "10.0.0.1", "10.0.0.2", "10.0.0.3"))
	f := newFeeder(r.ports[0], flows, client)
	r.cfg.Ports[0], r.cfg.Ports[1] = f, silent{r.ports[1]}
	b.ResetTimer()
	for n := range b.N {
		if n%(flows/2/packet.BurstSize) == 0 { // makes room
			b.StopTimer()
			for i := range flow.Index(r.table.Cap()) {
				r.end(i+1, r.table.Common(i+1))
				r.table.Remove(i + 1)
			}
			b.StartTimer()
		}
		r.Poll()
	}
	perPacket(b)
}

func perPacket(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/packet.BurstSize, "ns/packet")
}
