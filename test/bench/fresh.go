package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
)

// Cases whose packets have no flow. They run in fullnat, which has most to do
// for a new flow: it looks for a local port.

const (
	freshLife  = time.Second // time-out of all states: the table becomes steady soon
	freshTable = 6 << 20
	manyFlows  = 1 << 29 // clients do not come again while their flow lives
)

// Targets of issue 4.
const (
	targetUDP    = 5e6
	targetTCP    = 1.5e6
	targetMemory = 152
)

func shortLife() (t flow.Timeouts) {
	for i := range t {
		t[i] = freshLife
	}
	return t
}

// newUDP opens a flow with every packet, while as many end.
func (b *bench) newUDP() error {
	return b.fresh("new/udp", load.Setup{Mode: service.ModeFullNAT}, targetUDP, func(r *rig, next load.Draw) (time.Duration, error) {
		return r.pass(chunk, r.request(next, 0))
	})
}

// newTCP opens and closes connections of six packets, of which two come from
// the backend.
func (b *bench) newTCP() error {
	seen := make([][load.MinFrame]byte, chunk)
	return b.fresh("new/tcp", load.Setup{Mode: service.ModeFullNAT, TCP: true}, targetTCP, func(r *rig, next load.Draw) (time.Duration, error) {
		return r.connections(next(), seen)
	})
}

// fresh reports how many flows a second step opens, a chunk at a time.
func (b *bench) fresh(name string, setup load.Setup, target float64, step func(*rig, load.Draw) (time.Duration, error)) error {
	r, err := b.machine.newRig(setup, freshTable, shortLife())
	if err != nil {
		return err
	}
	next := load.InOrder(manyFlows)
	var began, ended uint64
	round := func(long time.Duration) (perS float64, err error) {
		flows, timed := 0, time.Duration(0)
		for start := time.Now(); time.Since(start) < long; {
			t, err := step(r, next)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			flows, timed = flows+chunk, timed+t
		}
		return float64(flows) / timed.Seconds(), nil
	}
	err = b.machine.onCore(func() error {
		_, err := round(2 * freshLife) // until steady
		began, ended = r.worker.Stats().Created.Load(), r.worker.Stats().Expired.Load()
		return err
	})
	if err != nil {
		return err
	}
	var all []float64
	for range b.rounds {
		err := b.machine.onCore(func() error {
			// Flows end by ticks, all of one at a time: a round that is not of whole
			// ticks has sometimes more of them, sometimes less than it opens.
			perS, err := round((2*b.round + flow.Tick - 1) / flow.Tick * flow.Tick) // more than half is timed
			all = append(all, perS)
			return err
		})
		if err != nil {
			return err
		}
	}
	began, ended = r.worker.Stats().Created.Load()-began, r.worker.Stats().Expired.Load()-ended
	b.report(Result{Case: name, PerS: median(all), FlowsHeld: r.table.Len(), Expired: float64(ended) / float64(began),
		Timeout: freshLife.String(), Target: target})
	return r.close()
}

// connections takes a chunk of TCP connections through their lives and returns
// what that took. seen keeps their SYNs as the backends get them.
func (r *rig) connections(first int, seen [][load.MinFrame]byte) (sum time.Duration, err error) {
	client := func(flags byte) func([]byte) {
		i := first*chunk - 1
		return func(frame []byte) { i++; r.frames.Request(frame, i, flags) }
	}
	backend := func(flags byte) func([]byte) {
		i := -1
		return func(frame []byte) {
			i++
			copy(frame, seen[i][:])
			r.frames.Answer(frame, flags)
		}
	}
	for n, write := range []func([]byte){
		client(packet.SYN), backend(packet.SYN | packet.ACK), client(packet.ACK),
		client(packet.FIN | packet.ACK), backend(packet.FIN | packet.ACK), client(packet.ACK),
	} {
		took, err := r.pass(chunk, write)
		if err != nil {
			return 0, fmt.Errorf("packet %d of 6: %w", n+1, err)
		}
		if n == 0 {
			for i, b := range r.spare {
				copy(seen[i][:], b.Bytes())
			}
		}
		sum += took
	}
	return sum, nil
}

// flood is packets for a local address of which none has a flow.
func (b *bench) flood() error {
	const flows = 1e6
	r, err := b.machine.newRig(load.Setup{Mode: service.ModeFullNAT}, flows, flow.Timeouts{})
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(3, 3))
	var strangers [1 << 16]load.Tuple
	var all []float64
	err = b.machine.onCore(func() error {
		if err := r.fill(flows); err != nil {
			return err
		}
		for i, t := range load.Replies(r.table)[:len(strangers)] {
			t.Addrs[0] = t.Addrs[0]&^0xffffffff | uint64(20|random.Uint32()<<8) // from 20.0.0.0/8
			strangers[i] = t
		}
		for range b.rounds {
			ns, err := r.drops(b.round, func(frame []byte) { r.frames.Reply(frame, &strangers[random.Uint32N(1<<16)], 0) })
			if err != nil {
				return err
			}
			all = append(all, ns)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("flood: %w", err)
	}
	b.report(Result{Case: "flood/no-flow", NS: median(all), MPPS: 1e3 / median(all)})
	return r.close()
}

// drops times frames none of which may be forwarded; it returns ns a packet.
func (r *rig) drops(long time.Duration, write func([]byte)) (float64, error) {
	var took time.Duration
	packets := 0
	for took < long {
		if err := r.load(chunk, write); err != nil {
			return 0, err
		}
		took += r.run(chunk)
		packets += chunk
		if n := r.collect(); n != 0 {
			return 0, fmt.Errorf("%d of %d frames: forwarded: a bug in Sluice or its benchmark, report it", n, chunk)
		}
	}
	return float64(took) / float64(packets), nil
}

// memory is what a flow takes, its share of the index and its counters included.
func (b *bench) memory() error {
	for _, f := range []struct {
		name          string
		flows, flows6 int
		family        flow.Family
		target        float64
	}{{"memory/ipv4", 1 << 20, 0, flow.IPv4, targetMemory}, {"memory/ipv6", 1, 1 << 20, flow.IPv6, 0}} {
		t, err := flow.New(flow.Config{Flows: f.flows, Flows6: f.flows6})
		if err != nil {
			return err
		}
		b.report(Result{Case: f.name, Bytes: t.BytesPerFlow(f.family), Target: f.target})
		if err := t.Close(); err != nil {
			return err
		}
	}
	return nil
}

// fill opens flows until there are ten million (quick: one) and looks for
// stalls.
func (b *bench) fill() error {
	flows, name := int(1e7), "fill/10M"
	if b.quick {
		flows, name = 1e6, "fill/1M"
	}
	r, err := b.machine.newRig(load.Setup{Mode: service.ModeFullNAT}, flows, flow.Timeouts{})
	if err != nil {
		return err
	}
	gaps := new(gapCounts)
	r.polled = gaps.poll
	var took time.Duration
	err = b.machine.onCore(func() error {
		next := load.InOrder(flows)
		for done := 0; done < flows; done += chunk {
			gaps.begin()
			t, err := r.pass(min(chunk, flows-done), r.request(next, 0))
			if err != nil {
				return err
			}
			took += t
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.report(Result{Case: name, PerS: float64(flows) / took.Seconds(), FlowsHeld: r.table.Len(),
		P9999: gaps.quantile(0.9999), Max: gaps.longest()})
	return r.close()
}
