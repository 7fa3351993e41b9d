package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-lb/sluice/dpdk"
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
	"github.com/sluice-lb/sluice/worker"
)

// Two workers, and packets that arrive at the wrong one. Each has a ring port to
// itself, so that it can be said what arrives where.

const handoverRing = 2048 // frames between two workers, as the daemon has it

// firstQueue is a port of one queue that a worker of any number has to itself.
type firstQueue struct{ *dpdk.Port }

func (p firstQueue) Rx(_ uint16, burst *packet.Burst) int        { return p.Port.Rx(0, burst) }
func (p firstQueue) Tx(_ uint16, burst *packet.Burst, n int) int { return p.Port.Tx(0, burst, n) }

// pair is two workers of one gateway.
type pair struct {
	rigs   [2]*rig
	second *dpdk.RingPort
	owned  [2][]int // flows by the worker that owns them
}

// handover measures with few flows and with many.
func (b *bench) handover() error {
	for _, flows := range []int{1e3, 1e5} {
		if err := b.handoverOf(flows); err != nil {
			return fmt.Errorf("handover/%s: %w", flowNames[flows], err)
		}
	}
	return nil
}

func (b *bench) handoverOf(flows int) error {
	p, err := b.machine.newPair(flows)
	if err != nil {
		return err
	}
	err = b.machine.onCore(func() error { return p.open(flows) })
	if err == nil {
		err = b.oneCore(p, flowNames[flows])
	}
	if err == nil {
		err = b.twoCores(p, flowNames[flows])
	}
	return errors.Join(err, p.close())
}

// newPair makes workers with room for all flows each, as an even share is not
// certain.
func (m *machine) newPair(flows int) (*pair, error) {
	g, err := load.NewGateway(m.port.Info().MAC, load.Setup{Mode: service.ModeFullNAT, Workers: 2})
	if err != nil {
		return nil, err
	}
	other, err := m.second()
	if err != nil {
		return nil, err
	}
	p := &pair{second: other.port}
	peers := worker.NewPeers(2, handoverRing)
	for id, on := range []*machine{m, other} {
		port := firstQueue{on.port.Port}
		p.rigs[id], err = on.rigOf(g, 2*flows, flow.Timeouts{}, worker.Config{ID: id, Ports: []packet.Port{port}, Peers: peers})
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return p, nil
}

func (p *pair) close() (err error) {
	for _, r := range p.rigs {
		if r != nil {
			err = errors.Join(err, r.empty())
		}
	}
	for _, r := range p.rigs {
		if r != nil {
			err = errors.Join(err, r.shut())
		}
	}
	return errors.Join(err, p.second.Close())
}

// open opens flows until each worker owns that many, and notes whose each is: all
// packets arrive at the first worker, and the owner transmits.
func (p *pair) open(flows int) error {
	first, other := p.rigs[0], p.rigs[1]
	for i := 0; len(p.owned[0]) < flows || len(p.owned[1]) < flows; i++ {
		if err := first.load(1, func(frame []byte) { first.frames.Request(frame, i, 0) }); err != nil {
			return err
		}
		first.worker.Poll()
		other.worker.Poll()
		owner := other.collect()
		if owner+first.collect() != 1 {
			return fmt.Errorf("open flow %d: not forwarded: a bug in Sluice or its benchmark, report it", i)
		}
		p.owned[owner] = append(p.owned[owner], i)
		first.take(other)
	}
	for id := range p.owned {
		p.owned[id] = p.owned[id][:flows]
	}
	return nil
}

// take takes the other's spare buffers.
func (r *rig) take(other *rig) {
	r.spare = append(append(r.room[:0], r.spare...), other.spare...)
	other.spare = nil
}

// frames are of flows that a worker owns.
func (p *pair) frames(owner int) func([]byte) {
	draw, flows, frames := load.Uniform(len(p.owned[owner])), p.owned[owner], p.rigs[owner].frames
	return func(frame []byte) { frames.Request(frame, flows[draw()], 0) }
}

// oneCore has one thread poll both workers in turn, which gives the whole cost of
// a hand-over whatever else the cores do: packets that arrive at their owner,
// beside packets that arrive at the other.
func (b *bench) oneCore(p *pair, name string) error {
	first, owner := p.rigs[0], p.rigs[1]
	write := p.frames(1)
	var direct, crossed []float64
	for range b.rounds {
		err := first.onCore(func() error {
			ns, err := owner.round(write, b.round)
			if err != nil {
				return err
			}
			direct = append(direct, ns)
			ns, err = p.crossing(write, b.round)
			crossed = append(crossed, ns)
			return err
		})
		if err != nil {
			return err
		}
	}
	total, base := median(crossed), median(direct)
	b.report(Result{Case: "handover/one-core/" + name, NS: total, MPPS: 1e3 / total, Direct: base, Handover: total - base})
	return nil
}

// crossing sends chunks that arrive at the first worker and leave by the other.
func (p *pair) crossing(write func([]byte), long time.Duration) (float64, error) {
	first, owner := p.rigs[0], p.rigs[1]
	var took time.Duration
	packets := 0
	for ; took < long; packets += chunk {
		first.take(owner)
		if err := first.load(chunk, write); err != nil {
			return 0, err
		}
		start := time.Now()
		for left := chunk; left > 0; left -= packet.BurstSize {
			first.worker.Poll()
			owner.worker.Poll()
		}
		took += time.Since(start)
		if n := owner.collect(); n != chunk {
			return 0, fmt.Errorf("%d of %d frames: %s: not handed over: a bug in Sluice or its benchmark, report it", chunk-n, chunk, first.lost())
		}
	}
	return float64(took) / float64(packets), nil
}
