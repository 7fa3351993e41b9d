package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/bench/load"
	"github.com/sluice-lb/sluice/worker"
)

// rig is one worker, set up as the daemon does it, and what drives it. Its
// methods run on the worker's lcore, but newRig and close.
type rig struct {
	*machine
	gateway *load.Gateway
	frames  *load.Frames
	table   *flow.Table
	worker  *worker.Worker
	kernel  *packet.KernelRings
	spare   []*packet.Buf // out of the pool, in the order they were transmitted
	room    []*packet.Buf // what spare lies in: making one a chunk would keep the collector busy
	burst   packet.Burst
	polled  func(time.Duration) // if not nil, is told when each poll ended, since the chunk began
	watched func(sign int64)    // if not nil, is called with -1 when polls begin and with 1 when they have ended
	floor   bool                // run does without the worker
}

func (m *machine) newRig(s load.Setup, flows int, timeouts flow.Timeouts) (*rig, error) {
	gateway, err := load.NewGateway(m.port.Info().MAC, s)
	if err != nil {
		return nil, err
	}
	return m.rigOf(gateway, flows, timeouts, worker.Config{Ports: []packet.Port{m.port.Port}})
}

// rigOf is newRig with a gateway that is there. c says which worker of the
// gateway's, and on which port.
func (m *machine) rigOf(g *load.Gateway, flows int, timeouts flow.Timeouts, c worker.Config) (*rig, error) {
	r := &rig{machine: m, gateway: g, frames: g.Frames(), kernel: packet.NewKernelRings(len(c.Ports), 1024), room: make([]*packet.Buf, 0, ringSize)}
	config := flow.Config{Flows: flows, Timeouts: timeouts}
	if g.IPv6 {
		config.Flows, config.Flows6 = 1, flows
	}
	err := m.onCore(func() (err error) { // its memory belongs on the worker's node
		r.table, err = flow.New(config)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.Pool, c.Store, c.Table, c.Kernel, c.Limits = m.pool, g.Store, r.table, r.kernel, worker.DefaultLimits()
	c.Services, c.Backends = g.Services+1, g.Services*g.Backends+1
	r.worker = worker.New(c)
	return r, nil
}

// close gives all back; nothing runs any more.
func (r *rig) close() error { return errors.Join(r.empty(), r.shut()) }

// empty gives the rig's buffers back.
func (r *rig) empty() error {
	return r.onCore(func() error {
		r.collect()
		r.freeSpare()
		return nil
	})
}

// shut closes what no rig uses any more.
func (r *rig) shut() error {
	var err error
	if n := r.pool.InUse(); n != 0 {
		err = fmt.Errorf("end of case: %d buffers: still in use: a leak in Sluice, report it", n)
	}
	return errors.Join(err, r.table.Close())
}

// load puts n frames in front of the worker.
func (r *rig) load(n int, write func(frame []byte)) error {
	for done := 0; done < n; {
		k := min(n-done, packet.BurstSize)
		for i := range k {
			b, err := r.buffer(done + i)
			if err != nil {
				return err
			}
			b.SetLen(r.frames.Len())
			write(b.Bytes())
			r.burst[i] = b
		}
		if r.port.Inject(&r.burst, k) != k {
			return fmt.Errorf("load frames: ring of %d: full: a bug in the benchmark, report it", ringSize)
		}
		done += k
	}
	r.spare = r.spare[min(n, len(r.spare)):]
	return nil
}

// buffer is the i-th spare buffer as if new, or one of the pool.
func (r *rig) buffer(i int) (*packet.Buf, error) {
	if i >= len(r.spare) {
		if b := r.pool.Alloc(); b != nil {
			return b, nil
		}
		return nil, fmt.Errorf("load frames: pool of %d: empty: a leak, report it", mbufs)
	}
	b := r.spare[i]
	b.Cut(headroom - b.Headroom()) // tun has put a header in front
	return b, nil
}

const headroom = 128 // of an empty buffer, in bytes

// run is the timed part: the worker takes n frames through all of its stages.
func (r *rig) run(n int) time.Duration {
	if r.watched != nil {
		r.watched(-1)
		defer r.watched(1)
	}
	r.worker.Hold()
	defer r.worker.Release()
	start := time.Now()
	for left := n; left > 0; left -= packet.BurstSize {
		if r.floor {
			r.port.Tx(0, &r.burst, r.port.Rx(0, &r.burst))
		} else {
			r.worker.Poll()
		}
		if r.polled != nil {
			r.polled(time.Since(start))
		}
	}
	return time.Since(start)
}

// collect takes what was transmitted, frees what went to the kernel, and
// returns how many were transmitted.
func (r *rig) collect() int {
	kept := len(r.spare)
	r.spare = append(r.room[:0], r.spare...)
	for n := r.port.Collect(&r.burst); n > 0; n = r.port.Collect(&r.burst) {
		r.spare = append(r.spare, r.burst[:n]...)
	}
	for _, ring := range r.kernel.To {
		for n := ring.Pop(&r.burst, packet.BurstSize); n > 0; n = ring.Pop(&r.burst, packet.BurstSize) {
			r.pool.Free(&r.burst, n)
		}
	}
	return len(r.spare) - kept
}

func (r *rig) freeSpare() {
	for len(r.spare) > 0 {
		n := copy(r.burst[:], r.spare)
		r.pool.Free(&r.burst, n)
		r.spare = r.spare[n:]
	}
}

// pass loads n frames, times them, and insists that all are forwarded.
func (r *rig) pass(n int, write func(frame []byte)) (time.Duration, error) {
	if err := r.load(n, write); err != nil {
		return 0, err
	}
	took := r.run(n)
	if sent := r.collect(); sent != n {
		return 0, fmt.Errorf("%d of %d frames: %s: not forwarded: a bug in Sluice or its benchmark, report it", n-sent, n, r.lost())
	}
	return took, nil
}

// lost says how packets ended that were not forwarded.
func (r *rig) lost() (out string) {
	for range 2 { // the worker publishes at the first poll after 50 ms
		time.Sleep(60 * time.Millisecond)
		r.worker.Poll()
	}
	for v := packet.Forwarded + 1; v < packet.NumVerdicts; v++ {
		if n := r.worker.Stats().Verdicts[v].Load(); n > 0 {
			out += fmt.Sprintf("%s %d ", v, n)
		}
	}
	return out
}

// fill opens flows 0 to n-1.
func (r *rig) fill(n int) error {
	next := load.InOrder(n)
	for done := 0; done < n; done += chunk {
		if _, err := r.pass(min(chunk, n-done), r.request(next, synFlag)); err != nil {
			return fmt.Errorf("open flows: %w", err)
		}
	}
	if r.table.Len() != n {
		return fmt.Errorf("open flows: %d: %d in the table: a bug in Sluice or its benchmark, report it", n, r.table.Len())
	}
	return nil
}

const synFlag = packet.SYN

// request writes requests of drawn flows.
func (r *rig) request(draw load.Draw, flags byte) func([]byte) {
	return func(frame []byte) { r.frames.Request(frame, draw(), flags) }
}
