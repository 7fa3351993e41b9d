package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/fake"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// churn is a port on which new UDP flows arrive with every burst, while time
// flies: old ones end at the same pace.
type churn struct {
	*fake.Port
	rig   *rig
	frame []byte
	next  uint16
}

func (c *churn) Rx(q uint16, burst *packet.Burst) int {
	for range 4 {
		c.next++
		binary.BigEndian.PutUint16(c.frame[34:], c.next)
		c.Receive(c.frame)
	}
	c.rig.later(50 * time.Millisecond) // on the worker's own thread
	return c.Port.Rx(q, burst)
}

// TestFlowsWhileTheyComeAndGo lists flows from another goroutine: those that live
// throughout are seen once each, and what is seen of the others is whole.
func TestFlowsWhileTheyComeAndGo(t *testing.T) {
	const lasting = 300
	r := newRig(t, options{flows: 1000, idle: Sleep, timeouts: flow.Timeouts{
		flow.StateUDP: time.Second, flow.StateEstablished: 300 * 24 * time.Hour, // time flies here
	}})
	r.world.Configure(fullnat(frame.TCP, 80, "10.0.0.1"), dr(frame.UDP, 53, "10.0.0.2"))
	for i := range lasting {
		r.arrive(0, request(frame.TCP, 80, uint16(1000+i)).Bytes(), bytes(request(frame.TCP, 80, uint16(1000+i)), func(p *frame.Packet) { p.Flags = frame.ACK }))
	}
	r.poll()
	r.cfg.Ports[0] = &churn{Port: r.ports[0], rig: r, frame: request(frame.UDP, 53, 0).Bytes()}
	stop := r.run()
	for range 5 {
		checkListing(t, r, lasting)
	}
	stop()
	assert.Positive(t, r.stats.expired)
	r.checkSums()
}

// run polls in a goroutine until the result is called.
func (r *rig) run() (end func()) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() { r.Run(&stop) })
	return func() {
		stop.Store(true)
		wg.Wait()
	}
}

func checkListing(t *testing.T, r *rig, lasting int) {
	ports, udp := map[uint16]int{}, 0
	err := r.Flows(t.Context(), func(rec *Record) error {
		if rec.Entry4.Proto == frame.UDP {
			udp++
			assert.Equal(t, flow.StateUDP, rec.Entry4.State)
			assert.Equal(t, service.ModeDR, rec.Entry4.Mode)
			assert.EqualValues(t, 1, rec.Packets[flow.Request])
			return nil
		}
		ports[hostPort(uint16(rec.Entry4.Sides[flow.Request].Ports))]++
		assert.Equal(t, flow.StateEstablished, rec.Entry4.State)
		assert.EqualValues(t, 2, rec.Packets[flow.Request])
		assert.Positive(t, rec.Left)
		return nil
	})
	require.NoError(t, err)
	assert.Len(t, ports, lasting)
	for port, n := range ports {
		assert.Equal(t, 1, n, "flow of port %d", port)
	}
	assert.Positive(t, udp)
}

// TestFlowsEnds: visit's error and the context's end a listing, and neither
// spoils the next.
func TestFlowsEnds(t *testing.T) {
	r := newRig(t, options{flows: 1000, idle: Sleep})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.2"))
	for i := range 500 {
		r.arrive(0, request(frame.UDP, 53, uint16(1000+i)).Bytes())
	}
	r.poll()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, r.Flows(ctx, nil), context.DeadlineExceeded, "nobody polls")

	defer r.run()()
	enough := errors.New("enough")
	seen := 0
	assert.ErrorIs(t, r.Flows(t.Context(), func(*Record) error {
		if seen++; seen == 200 {
			return enough
		}
		return nil
	}), enough)
	assert.Equal(t, 200, seen)

	var total atomic.Int64
	var wg sync.WaitGroup
	for range 3 { // at the same time
		wg.Go(func() {
			assert.NoError(t, r.Flows(t.Context(), func(*Record) error { total.Add(1); return nil }))
		})
	}
	wg.Wait()
	assert.EqualValues(t, 3*500, total.Load())
}

// TestListingLeavesLittleGarbage: no more for many flows than for few.
func TestListingLeavesLittleGarbage(t *testing.T) {
	r := newRig(t, options{flows: 100 * batch, idle: Sleep})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.2"))
	for i := range 100 * batch {
		if r.arrive(0, request(frame.UDP, 53, uint16(1000+i)).Bytes()); i%packet.BurstSize == 0 {
			r.poll()
		}
	}
	r.poll()
	defer r.run()()
	seen := 0
	perRun := testing.AllocsPerRun(3, func() {
		assert.NoError(t, r.Flows(t.Context(), func(*Record) error { seen++; return nil }))
	})
	assert.Equal(t, 4*100*batch, seen, "one listing more than is counted")
	assert.Less(t, perRun, 50.0, "there are a hundred batches")
}

func TestFlowsOfEmptyTable(t *testing.T) {
	r := newRig(t, options{flows: 1, idle: Sleep})
	defer r.run()()
	assert.NoError(t, r.Flows(t.Context(), func(*Record) error { return errors.New("a flow") }))
}
