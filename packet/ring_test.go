package packet_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/packet"
)

// TestRingModel compares a ring with a slice, over many times its size.
func TestRingModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 70).Draw(t, "size")
		ring := packet.NewRing(size)
		assert.GreaterOrEqual(t, ring.Cap(), size)
		assert.Less(t, ring.Cap(), max(2*size, 2))
		var model []*packet.Buf
		var burst packet.Burst
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				for range rapid.IntRange(1, 40).Draw(t, "frames") {
					b := packet.NewBuf(0, 0)
					took := ring.Push(b)
					assert.Equal(t, len(model) < ring.Cap(), took)
					if took {
						model = append(model, b)
					}
				}
			},
			"pop": func(t *rapid.T) {
				limit := rapid.IntRange(0, 100).Draw(t, "limit")
				n := ring.Pop(&burst, limit)
				assert.LessOrEqual(t, n, min(limit, len(model), packet.BurstSize))
				assert.Equal(t, min(limit, len(model)) > 0, n > 0, "never nothing when there is something")
				for i := range n {
					assert.Same(t, model[i], burst[i])
				}
				model = model[n:]
			},
			"": func(t *rapid.T) { assert.Equal(t, len(model), ring.Len()) },
		})
	})
}

// TestRingRefills: what Pop does not know of yet comes with the next call.
func TestRingRefills(t *testing.T) {
	ring := packet.NewRing(8)
	var burst packet.Burst
	for range 3 {
		ring.Push(packet.NewBuf(0, 0))
	}
	assert.Equal(t, 2, ring.Pop(&burst, 2))
	ring.Push(packet.NewBuf(0, 0))
	assert.Positive(t, ring.Pop(&burst, 8))
	ring.Pop(&burst, 8)
	assert.Zero(t, ring.Len())
	assert.Zero(t, ring.Pop(&burst, 8))
}

// TestRingPopsABurst: no more than a burst holds, whatever the limit.
func TestRingPopsABurst(t *testing.T) {
	ring := packet.NewRing(128)
	for ring.Push(packet.NewBuf(0, 0)) {
	}
	var burst packet.Burst
	assert.Equal(t, packet.BurstSize, ring.Pop(&burst, 128))
	assert.Equal(t, 128-packet.BurstSize, ring.Len())
}

// TestRingHighest: the most that waited when Pop looked; full is full.
func TestRingHighest(t *testing.T) {
	ring := packet.NewRing(128)
	var burst packet.Burst
	assert.Zero(t, ring.Pop(&burst, 64))
	assert.Zero(t, ring.Highest())
	push(ring, 5)
	assert.Zero(t, ring.Highest(), "nobody has looked")
	assert.Equal(t, 5, ring.Pop(&burst, 64))
	assert.Equal(t, 5, ring.Highest())
	push(ring, 3)
	assert.Equal(t, 3, ring.Pop(&burst, 64))
	assert.Equal(t, 5, ring.Highest(), "it never falls")
	push(ring, 1000)
	assert.Equal(t, 128, ring.Len())
	ring.Pop(&burst, 64)
	assert.Equal(t, 128, ring.Highest())
}

// push pushes n frames, or as many as there is room for.
func push(ring *packet.Ring, n int) {
	for range n {
		ring.Push(packet.NewBuf(0, 0))
	}
}

// TestRingTwoThreads passes numbered frames through a small ring: in order, none
// lost, none twice, contents visible.
func TestRingTwoThreads(t *testing.T) {
	const frames = 200000
	ring := packet.NewRing(16)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range frames {
			b := packet.NewBuf(4, 0)
			b.RSSHash = uint32(i)
			for !ring.Push(b) {
				runtime.Gosched()
			}
		}
	})
	var done atomic.Bool
	defer done.Store(true)
	wg.Go(func() { // who looks on sees levels that a ring can have
		for !done.Load() {
			if n := ring.Len(); n < 0 || n > ring.Cap() {
				t.Errorf("level %d of a ring of %d", n, ring.Cap())
				return
			}
			runtime.Gosched()
		}
	})
	var burst packet.Burst
	for want := 0; want < frames; {
		n := ring.Pop(&burst, 5)
		for _, b := range burst[:n] {
			if int(b.RSSHash) != want {
				t.Fatalf("frame %d where %d should be", b.RSSHash, want)
			}
			want++
		}
		if n == 0 {
			runtime.Gosched()
		}
	}
	done.Store(true)
	wg.Wait()
	assert.Zero(t, ring.Len())
	assert.Positive(t, ring.Highest())
	assert.LessOrEqual(t, ring.Highest(), ring.Cap())
}
