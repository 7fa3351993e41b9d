package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/bench/load"
)

// hits is a case of packets whose flows are there.
type hits struct {
	name    string
	setup   load.Setup
	flows   int
	draw    func(flows int) load.Draw
	replies bool
	floor   bool    // bursts are received and transmitted, and nothing else
	target  float64 // ns a packet; 0: none
}

// hits runs rounds of a case in turn with rounds of testpmd and reports medians.
func (b *bench) hits(c hits) error {
	r, err := b.filled(c.setup, c.flows)
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	long := b.round
	if c.floor {
		long /= 4 // millions of packets still, and writing them takes 20 times as long
	}
	var write func([]byte)
	err = r.onCore(func() error {
		write, r.floor = r.writer(c), c.floor
		_, err := r.round(write, long/4) // warm
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	var t turns
	for range b.rounds {
		macswap, err := b.testpmd.measure(b.round)
		if err != nil {
			return err
		}
		var ns float64
		if err := r.onCore(func() (err error) { ns, err = r.round(write, long); return err }); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		t.add(ns, macswap)
	}
	result := t.result(c.name)
	result.Target = c.target
	b.report(result)
	return nil
}

// filledRig is a rig whose table has all flows of one case after another.
type filledRig struct {
	*rig
	setup load.Setup
	flows int
}

// filled is a rig with flows 0 to flows-1: that of the case before if it is the same,
// for ten million take seconds to open.
func (b *bench) filled(s load.Setup, flows int) (*rig, error) {
	if f := b.kept; f.rig != nil && f.setup == s && f.flows == flows {
		return f.rig, nil
	}
	if err := b.drop(); err != nil {
		return nil, err
	}
	r, err := b.machine.newRig(s, flows, flow.Timeouts{})
	if err != nil {
		return nil, err
	}
	b.kept = filledRig{r, s, flows}
	return r, r.onCore(func() error { return r.fill(flows) })
}

// drop closes what filled has kept.
func (b *bench) drop() error {
	r := b.kept.rig
	b.kept = filledRig{}
	if r == nil {
		return nil
	}
	return r.close()
}

// turns are rounds of the worker in turn with testpmd's, in ns a packet.
type turns struct{ ours, theirs []float64 }

func (t *turns) add(ns, macswap float64) {
	t.ours, t.theirs = append(t.ours, ns), append(t.theirs, macswap)
}

func (t *turns) result(name string) Result {
	ns, macswap := median(t.ours), median(t.theirs)
	return Result{Case: name, NS: ns, MPPS: 1e3 / ns, Low: slices.Min(t.ours), High: slices.Max(t.ours), Macswap: macswap, Ratio: ns / macswap}
}

// writer writes the case's frames.
func (r *rig) writer(c hits) func([]byte) {
	draw := c.draw(c.flows)
	if !c.replies {
		return r.request(draw, packet.ACK)
	}
	replies := load.Replies(r.table)
	return func(frame []byte) { r.frames.Reply(frame, &replies[draw()], packet.ACK) }
}

// round sends chunks until they took this long; it returns ns a packet.
func (r *rig) round(write func([]byte), long time.Duration) (float64, error) {
	var took time.Duration
	packets := 0
	for took < long {
		t, err := r.pass(chunk, write)
		if err != nil {
			return 0, err
		}
		took += t
		packets += chunk
	}
	return float64(took) / float64(packets), nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
