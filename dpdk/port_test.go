package dpdk

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

func TestNullReceivesAndTransmits(t *testing.T) {
	pool := newPool(t, 1023)
	p := attach(t, PortConfig{Name: "lan", Device: "net_null0", Pool: pool})
	start := pool.InUse()
	onWorker(t, func() error {
		var burst packet.Burst
		for range 100 {
			n := p.Rx(0, &burst)
			if n == 0 || burst[0].Len() != 64 || burst[n-1].Len() != 64 {
				return fmt.Errorf("n %d, first %d bytes", n, burst[0].Len())
			}
			if sent := p.Tx(0, &burst, n); sent != n {
				return fmt.Errorf("sent %d of %d", sent, n)
			}
		}
		return nil
	})
	assert.Equal(t, start, pool.InUse())
	s, err := p.Stats()
	require.NoError(t, err)
	assert.Equal(t, s.RxPackets, s.TxPackets)
	assert.GreaterOrEqual(t, s.RxPackets, uint64(100))
	assert.True(t, p.LinkUp())
	info := p.Info()
	assert.Equal(t, "lan", info.Name)
	assert.Equal(t, "net_null", info.Driver)
	assert.Equal(t, uint16(1500), info.MTU)
}

// fill makes frames of random length and content; it returns the bytes beside
// the buffers.
func fill(t *testing.T, pool *Pool, burst *packet.Burst, n int) (frames [][]byte) {
	for i := range n {
		b := pool.Alloc()
		require.NotNil(t, b)
		require.Equal(t, 128, b.Headroom())
		require.True(t, b.SetLen(60+rand.IntN(1455)))
		for j := range b.Bytes() {
			b.Bytes()[j] = byte(rand.Uint32())
		}
		burst[i] = b
		frames = append(frames, bytes.Clone(b.Bytes()))
	}
	return frames
}

func TestRingCarriesEveryByte(t *testing.T) {
	pool := newPool(t, 511)
	p := attach(t, PortConfig{Name: "loop", Device: "net_ring0", Pool: pool})
	var out, in packet.Burst
	frames := fill(t, pool, &out, 64)
	require.Equal(t, 64, p.Tx(0, &out, 64))
	require.Equal(t, 64, p.Rx(0, &in))
	for i, want := range frames {
		assert.Equal(t, want, in[i].Bytes())
		assert.Equal(t, 1, in[i].Segments())
	}
	assert.Equal(t, 64, pool.InUse())
	pool.Free(&in, 64)
	assert.Zero(t, pool.InUse())
}

func TestTxFreesWhatAFullDeviceRefuses(t *testing.T) {
	pool := newPool(t, 2047)
	p := attach(t, PortConfig{Name: "r", Device: "net_ring2", Pool: pool})
	taken, offered := 0, 0
	var burst packet.Burst
	for range 24 {
		fill(t, pool, &burst, 64)
		taken, offered = taken+p.Tx(0, &burst, 64), offered+64
	}
	require.Less(t, taken, offered)
	require.NotZero(t, taken)
	assert.Equal(t, taken, pool.InUse(), "what was refused is back in the pool")
	for taken > 0 {
		n := p.Rx(0, &burst)
		require.NotZero(t, n)
		pool.Free(&burst, n)
		taken -= n
	}
	assert.Zero(t, pool.InUse())
}

// DPDK's numbers and ours part when something else takes a number.
func TestIndexIsOurOwn(t *testing.T) {
	pool := newPool(t, 511)
	d, err := parseDevice("net_null10")
	require.NoError(t, err)
	other, err := probe(d, 1500)
	require.NoError(t, err)
	first := attach(t, PortConfig{Name: "first", Device: "net_null11", Pool: pool})
	second := attach(t, PortConfig{Name: "second", Device: "net_null12", Pool: pool})
	require.NotEqual(t, first.id, first.index)
	assert.Equal(t, 0, first.Index())
	assert.Equal(t, 1, second.Index())
	require.NoError(t, first.Close())
	again := attach(t, PortConfig{Name: "again", Device: "net_null13", Pool: pool})
	assert.Equal(t, 0, again.Index(), "lowest free index")
	require.NoError(t, detachStray(other))
}

func TestSeveralQueuesTakeOurKeyAndTable(t *testing.T) {
	pool := newPool(t, 511)
	key := make([]byte, rssKeyLen)
	for i := range key {
		key[i] = byte(3*i + 1)
	}
	p := attach(t, PortConfig{Name: "rss", Device: "net_null3", Queues: 2, RSSKey: key, Pool: pool})
	info := p.Info()
	assert.Equal(t, key, info.RSSKey)
	assert.Equal(t, uint16(128), info.RSSSize)
	assert.Equal(t, uint16(2), info.Queues)
	var burst packet.Burst
	for q := range uint16(2) {
		n := p.Rx(q, &burst)
		require.NotZero(t, n)
		assert.Equal(t, n, p.Tx(q, &burst, n))
	}
}

func TestAttachAndCloseLeaveNothing(t *testing.T) {
	pool := newPool(t, 1023)
	for i := range 20 {
		a, err := Attach(PortConfig{Name: "a", Device: "net_null4", Pool: pool})
		require.NoError(t, err, i)
		b, err := Attach(PortConfig{Name: "b", Device: "net_ring4", Pool: pool})
		require.NoError(t, err, i)
		assert.Equal(t, 0, a.Index())
		var burst packet.Burst
		n := a.Rx(0, &burst)
		require.Equal(t, n, b.Tx(0, &burst, n))
		n = b.Rx(0, &burst)
		pool.Free(&burst, n)
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
		require.NoError(t, b.Close(), "closing twice")
		require.Zero(t, pool.InUse())
		_, err = b.Stats()
		require.Error(t, err)
		assert.False(t, b.LinkUp())
	}
}

func TestBurstsDoNotAllocate(t *testing.T) {
	pool := newPool(t, 1023)
	p := attach(t, PortConfig{Name: "n", Device: "net_null5", Pool: pool})
	onWorker(t, func() error {
		var burst packet.Burst // on the stack: noescape lets it stay there
		allocs := testing.AllocsPerRun(1000, func() {
			n := p.Rx(0, &burst)
			p.Tx(0, &burst, n)
			burst[0] = pool.Alloc()
			pool.Free(&burst, 1)
		})
		if allocs != 0 {
			return fmt.Errorf("%v allocations per burst", allocs)
		}
		return nil
	})
	assert.Zero(t, pool.InUse())
}

// BenchmarkNull is one burst received and transmitted; ns/packet is both.
func BenchmarkNull(b *testing.B) {
	pool, err := NewPool("bench", 8191, 2048, 256, -1)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, pool.Close()) })
	p := attach(b, PortConfig{Name: "n", Device: "net_null6", Pool: pool})
	packets := 0
	onWorker(b, func() error {
		var burst packet.Burst
		b.ResetTimer()
		for range b.N {
			n := p.Rx(0, &burst)
			packets += p.Tx(0, &burst, n)
		}
		b.StopTimer()
		return nil
	})
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
}
