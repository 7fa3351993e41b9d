package worker

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// manyBackends is a service with n backends, more than one poll publishes.
func manyBackends(n int) world.Service {
	svc := dr(frame.UDP, 53)
	for i := range n {
		svc.Backends = append(svc.Backends, world.Backend{Addr: "10.0.0.1", Port: uint16(1000 + i)})
	}
	return svc
}

// TestPublishUnderLoad: while more backends are busy than one poll publishes,
// counters go on, and every backend gets its turn.
func TestPublishUnderLoad(t *testing.T) {
	const backends = 300
	r := newRig(t, options{flows: 10000})
	r.world.Configure(manyBackends(backends))
	for poll := range 100 {
		for i := range packet.BurstSize {
			r.arrive(0, request(frame.UDP, 53, uint16(1+poll*packet.BurstSize+i)).Bytes())
		}
		r.later(10 * time.Millisecond)
		r.Poll()
	}
	s := r.Stats()
	assert.Positive(t, s.Received.Load())
	assert.Equal(t, r.snap.Revision, s.Revision())
	assert.LessOrEqual(t, len(r.dirty)+len(r.round.left), 2*backends, "each at most once in a list")
	for id := service.BackendID(1); id <= backends; id++ {
		assert.Positive(t, s.Backend(id).Flows, "backend %d", id)
	}
}

// TestRevisionIsComplete: what is published under a revision has all flows that
// older snapshots made.
func TestRevisionIsComplete(t *testing.T) {
	const backends = 300
	r := newRig(t, options{flows: 1000})
	r.world.Configure(manyBackends(backends))
	for i := range backends {
		r.arrive(0, request(frame.UDP, 53, uint16(1+i)).Bytes())
	}
	r.poll()
	r.world.Configure(manyBackends(backends - 1)) // whose flows are all made
	want := r.world.Store.Load().Revision
	for polls := 0; r.Stats().Revision() < want; polls++ {
		r.later(60 * time.Millisecond)
		r.Poll()
		if polls > 100 {
			t.Fatal("the revision is never published")
		}
	}
	for id := service.BackendID(1); id <= backends; id++ {
		assert.Equal(t, Load{Flows: 1, Inactive: 1, InPackets: 1, InBytes: 35}, r.Stats().Backend(id), "backend %d", id)
	}
}

// TestRunPublishesLast: after Run everything is published.
func TestRunPublishesLast(t *testing.T) {
	r := newRig(t, options{flows: 1000})
	r.world.Configure(manyBackends(200))
	for i := range 200 {
		r.arrive(0, request(frame.UDP, 53, uint16(1+i)).Bytes())
	}
	r.poll()
	var stop atomic.Bool
	stop.Store(true)
	r.Run(&stop)
	s := r.Stats()
	assert.EqualValues(t, 200, s.Flows.Load())
	assert.EqualValues(t, 200, s.Created.Load())
	assert.EqualValues(t, 200, s.Verdicts[packet.Forwarded].Load())
	for id := service.BackendID(1); id <= 200; id++ {
		assert.EqualValues(t, 1, s.Backend(id).Flows, "backend %d", id)
	}
	assert.EqualValues(t, s.Polls.Load(), r.stats.polls)
}

func TestParseIdle(t *testing.T) {
	for text, want := range map[string]struct {
		mode Idle
		ok   bool
	}{"spin": {Spin, true}, "sleep": {Sleep, true}, "": {Spin, false}, "SPIN": {Spin, false}} {
		mode, ok := ParseIdle(text)
		assert.Equal(t, want.mode, mode, text)
		assert.Equal(t, want.ok, ok, text)
	}
}

// TestIdler: only Sleep pauses, only after many empty polls, and work resets it.
func TestIdler(t *testing.T) {
	sleep, spin := idler{mode: Sleep}, idler{mode: Spin}
	for i := range idlePolls - 1 {
		sleep.after(0)
		assert.Zero(t, sleep.pause, fmt.Sprint("poll ", i))
	}
	for range 10 {
		sleep.after(0)
		spin.after(0)
	}
	assert.EqualValues(t, sleepMax, sleep.pause)
	sleep.after(1)
	assert.Zero(t, sleep.empty)
	assert.EqualValues(t, sleepMin, sleep.pause)
	for range 1000 {
		spin.after(0)
	}
	assert.Zero(t, spin.pause)
}
