package worker

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/worker/gap"
)

// TestMeter compares the meter with the list of polls: when each began, whether
// it moved something, and whether the worker slept after it.
func TestMeter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := meter{paused: true}
		var now, busy, longest time.Duration
		var gaps []time.Duration
		counted, moved := false, false
		for range rapid.IntRange(1, 100).Draw(t, "polls") {
			since := time.Duration(rapid.Int64Range(1, 1e9).Draw(t, "since"))
			now += since
			m.begin(now)
			if counted {
				gaps = append(gaps, since)
				longest = max(longest, since)
				if moved {
					busy += since
				}
			}
			moved = rapid.Bool().Draw(t, "moved")
			slept := !moved && rapid.Bool().Draw(t, "slept")
			m.moved, m.paused, counted = moved, slept, !slept
		}
		var want gap.Histogram
		for _, g := range gaps {
			want.Add(g, 0)
		}
		assert.EqualValues(t, len(gaps), m.gaps.Count())
		assert.Equal(t, want.Sum(), m.gaps.Sum())
		assert.Equal(t, want.Quantile(0.5), m.gaps.Quantile(0.5))
		assert.Equal(t, longest, m.gaps.Longest())
		assert.Equal(t, busy, m.busy)
		assert.Equal(t, now, m.last)
	})
}

// TestBusyIsAShareOfTime: a long poll with packets weighs more than many short
// ones without.
func TestBusyIsAShareOfTime(t *testing.T) {
	r := newRig(t, options{flows: 10})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.1"))
	r.Poll()
	busy, clock := r.meter.busy, r.meter.last
	r.arrive(0, request(frame.UDP, 53, 1).Bytes())
	r.Poll()
	r.later(9 * time.Hour) // what the poll with a packet took
	for range 9 {
		r.Poll()
	}
	r.later(time.Hour) // what the last empty one took
	r.Poll()
	share := float64(r.meter.busy-busy) / float64(r.meter.last-clock)
	assert.InDelta(t, 0.9, share, 0.01)
	assert.EqualValues(t, 1, r.stats.busyPolls, "of 12 polls")

	r.publishAll()
	gotBusy, gotClock := r.Stats().Busy()
	assert.Equal(t, r.meter.busy, gotBusy)
	assert.Equal(t, r.meter.last, gotClock)
	gaps := r.Stats().Gaps()
	assert.EqualValues(t, 11, gaps.Count(), "between 12 polls")
	assert.GreaterOrEqual(t, gaps.Longest(), 9*time.Hour)
	assert.Equal(t, r.meter.gaps.LongestAt(), gaps.LongestAt())
}

// TestFirstPollEndsNoGap: the time in which the daemon starts is none.
func TestFirstPollEndsNoGap(t *testing.T) {
	r := newRig(t, options{flows: 10})
	r.later(time.Hour)
	r.Poll()
	assert.Zero(t, r.meter.gaps.Count())
	r.Poll()
	assert.EqualValues(t, 1, r.meter.gaps.Count())
	assert.Less(t, r.meter.gaps.Longest(), time.Hour)
}

// TestSleepIsNoGap: an idle worker that spins has a gap after each poll, one
// that sleeps only after those it did not sleep after.
func TestSleepIsNoGap(t *testing.T) {
	for _, mode := range []Idle{Spin, Sleep} {
		r := newRig(t, options{flows: 10, idle: mode})
		last := &lastPoll{Port: r.cfg.Ports[0], left: idlePolls + 9}
		r.cfg.Ports[0] = last
		r.Run(&last.stop)
		want := map[Idle]int{Spin: idlePolls + 8, Sleep: idlePolls - 1}[mode]
		assert.EqualValues(t, want, r.Stats().Gaps().Count(), "idle mode %d", mode)
		busy, clock := r.Stats().Busy()
		assert.Zero(t, busy)
		assert.Positive(t, clock)
	}
}

// lastPoll is a port that ends a Run after some polls.
type lastPoll struct {
	packet.Port
	left int
	stop atomic.Bool
}

func (p *lastPoll) Rx(queue uint16, burst *packet.Burst) int {
	p.left--
	p.stop.Store(p.left == 0)
	return p.Port.Rx(queue, burst)
}

// TestBurstFill: bursts are counted by port, full ones apart, empty ones not.
func TestBurstFill(t *testing.T) {
	r := newRig(t, options{flows: 1000})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.1"))
	for i := range 2*packet.BurstSize + 3 {
		r.arrive(0, request(frame.UDP, 53, uint16(1+i)).Bytes())
	}
	r.arrive(1, slices.Repeat([][]byte{arp}, packet.BurstSize-1)...)
	r.poll()
	r.Poll()
	r.publishAll()
	assert.Equal(t, Arrivals{Packets: 2*packet.BurstSize + 3, Bursts: 3, Full: 2}, r.Stats().Port(0))
	assert.Equal(t, Arrivals{Packets: packet.BurstSize - 1, Bursts: 1}, r.Stats().Port(1))
}

// TestHandOversByPort: who hands over counts it for the port that the packet
// came in at; who takes over counts no arrival.
func TestHandOversByPort(t *testing.T) {
	p := newPair(t)
	p.workers[0].world.Configure(dr(frame.UDP, 53, "10.0.0.1"))
	for cport := range uint16(200) {
		p.workers[0].arrive(0, request(frame.UDP, 53, 1000+cport).Bytes())
	}
	p.workers[0].poll()
	ring := p.workers[0].cfg.Peers.Ring(1, 0)
	assert.EqualValues(t, p.workers[0].count(packet.Handover), ring.Len())
	for ring.Len() > 0 {
		p.workers[1].Poll()
	}
	for _, w := range p.workers {
		w.publishAll()
	}
	first, second := p.workers[0].Stats(), p.workers[1].Stats()
	handed := first.Verdicts[packet.Handover].Load()
	assert.NotZero(t, handed)
	assert.Equal(t, handed, first.Port(0).HandedOver)
	assert.EqualValues(t, 200, first.Port(0).Packets)
	assert.Zero(t, first.Port(1))
	assert.Zero(t, second.Port(0))
	assert.Equal(t, handed, second.Received.Load())
	assert.EqualValues(t, handed, ring.Highest())
}
