package main

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/bench/load"
	"github.com/sluice-lb/sluice/worker"
)

// port hands out the same 64 buffers in every poll.
type port struct {
	packet.Port
	bufs  packet.Burst
	empty bool // hand out none
	sent  int
}

func (p *port) Info() packet.PortInfo {
	return packet.PortInfo{Name: "fake", MAC: packet.MAC{2, 0, 0, 0, 0, 1}, MTU: 1500, Queues: 1}
}

func (p *port) Rx(_ uint16, burst *packet.Burst) int {
	if p.empty {
		return 0
	}
	*burst = p.bufs
	return packet.BurstSize
}

func (p *port) Tx(_ uint16, _ *packet.Burst, n int) int {
	p.sent += n
	return n
}

type rig struct {
	port   *port
	frames *load.Frames
	table  *flow.Table
	worker *worker.Worker
}

const (
	headroom = 128
	dataRoom = 2048
	seed     = 1
)

// newRig makes a worker with a table of that size.
func newRig(s load.Setup, flows int) (*rig, error) {
	r := &rig{port: new(port)}
	for i := range r.port.bufs {
		r.port.bufs[i] = packet.NewBuf(headroom+dataRoom, headroom)
	}
	g, err := load.NewGateway(r.port.Info().MAC, s)
	if err != nil {
		return nil, err
	}
	if r.table, err = flow.New(flow.Config{Flows: flows, Flows6: flows, Seed: seed}); err != nil {
		return nil, err
	}
	r.frames = g.Frames()
	r.worker = worker.New(worker.Config{Ports: []packet.Port{r.port}, Store: g.Store, Table: r.table,
		Kernel: packet.NewKernelRings(1, 64), Services: 2, Backends: 65, Limits: worker.DefaultLimits(), Seed: seed})
	return r, nil
}

// writer opens the known flows and returns what writes the frames to count.
func (r *rig) writer(what kind, flows int) func([]byte) {
	next := load.InOrder(flows) // goes on where the known flows end, or begins again with them
	write := func(frame []byte) { r.frames.Request(frame, next(), packet.ACK) }
	for range known / packet.BurstSize {
		r.fill(write)
		r.worker.Poll()
	}
	if what == replies {
		replies := load.Replies(r.table)
		write = func(frame []byte) { r.frames.Reply(frame, &replies[next()], packet.ACK) }
	}
	return write
}

// fill makes all buffers new frames.
func (r *rig) fill(write func([]byte)) {
	for _, b := range r.port.bufs {
		b.Cut(headroom - b.Headroom()) // tun has put a header in front
		b.SetLen(r.frames.Len())
		write(b.Bytes())
	}
}
