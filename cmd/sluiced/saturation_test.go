package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/worker"
)

func twoPorts() *recent {
	return &recent{before: sample{ports: make([]worker.Arrivals, 2)}, fill: make([]float64, 2), full: make([]float64, 2)}
}

// step is a second of a worker's life.
func (r *recent) step(busy time.Duration, ports ...worker.Arrivals) {
	now := sample{busy: r.before.busy + busy, clock: r.before.clock + time.Second, ports: ports}
	for i := range ports {
		was := r.before.ports[i]
		ports[i].Packets += was.Packets
		ports[i].Bursts += was.Bursts
		ports[i].Full += was.Full
	}
	r.look(now)
}

// What is told is of the last second alone; both a busy worker and full bursts
// of one port make it saturated.
func TestRecent(t *testing.T) {
	r := twoPorts()
	r.step(250*time.Millisecond, worker.Arrivals{Packets: 30, Bursts: 10}, worker.Arrivals{Packets: 128, Bursts: 2, Full: 2})
	assert.InDelta(t, 0.25, r.busy, 1e-9)
	assert.Equal(t, []float64{3, 64}, r.fill)
	assert.Equal(t, []float64{0, 1}, r.full)
	assert.False(t, r.saturated(), "full bursts of a worker that has time")

	r.step(time.Second, worker.Arrivals{Packets: 400, Bursts: 10, Full: 4}, worker.Arrivals{})
	assert.InDelta(t, 1, r.busy, 1e-9)
	assert.Equal(t, []float64{40, 0}, r.fill)
	assert.Equal(t, []float64{0.4, 0}, r.full)
	assert.False(t, r.saturated(), "small bursts of a busy worker")

	r.step(900*time.Millisecond, worker.Arrivals{Packets: 10, Bursts: 10}, worker.Arrivals{Packets: 100, Bursts: 2, Full: 1})
	assert.True(t, r.saturated())
	r.look(r.before)
	assert.True(t, r.saturated(), "nothing new was published")
	r.step(0, worker.Arrivals{}, worker.Arrivals{})
	assert.Zero(t, r.busy)
	assert.Equal(t, []float64{0, 0}, r.fill)
}

// A spell follows the looks, settle of them late, and dates itself back.
func TestSpell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		looks := rapid.SliceOfN(rapid.Bool(), 1, 40).Draw(t, "looks")
		var s spell
		on, since := false, 0
		for i, look := range looks {
			changed := s.look(time.Unix(int64(i), 0), look)
			want := i >= settle-1 && look != on
			for _, before := range looks[max(i-settle+1, 0):i] {
				want = want && before == look
			}
			if want {
				on, since = look, i-settle+1
			}
			assert.Equal(t, want, changed, "look %d", i)
			assert.Equal(t, on, s.on)
			if on {
				assert.Equal(t, time.Unix(int64(since), 0), s.since)
			}
		}
	})
}

// The status shows who is saturated, and the ring that was fullest for its size.
func TestSaturatedStatus(t *testing.T) {
	since := time.Unix(7, 0)
	var s api.Status
	saturated(&s, []api.Worker{
		{ID: 0, Busy: 0.5, Rings: []api.Ring{{Worker: 0, Peer: "1", Highest: 50, Size: 1000}, {Worker: 0, Peer: "other", Size: 10}}},
		{ID: 1, Busy: 1, SaturatedSince: &since, Rings: []api.Ring{{Worker: 1, Peer: "0", Highest: 10, Waiting: 3, Size: 100}}},
	})
	assert.Equal(t, []float64{0.5, 1}, s.Busy)
	assert.Equal(t, []api.Saturation{{Worker: 1, Since: since}}, s.Saturated)
	assert.Equal(t, &api.Ring{Worker: 1, Peer: "0", Highest: 10, Waiting: 3, Size: 100}, s.FullestRing)

	saturated(&s, nil)
	assert.NotNil(t, s.Busy)
	assert.NotNil(t, s.Saturated)
}
