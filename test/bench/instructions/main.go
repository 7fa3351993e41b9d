// Command instructions drives the production worker in a way that callgrind
// can count: flows that are there, bursts of 64, a port that only hands out
// pointers. `make bench-instructions` runs it under valgrind, once per case, and
// divides.
//
// Runs on: one goroutine, the collector off. No DPDK: valgrind does not know all
// instructions that it uses, and net_ring's part is not ours to count.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
	"github.com/sluice-lb/sluice/worker"
)

const (
	flows = 1024
	warm  = 16 // bursts before those that are counted
)

func main() {
	name := flag.String("case", "fullnat/ipv4", "mode/family, of replies mode/family/reply, of new flows mode/family/new")
	bursts := flag.Int("bursts", 1000, "how many bursts of 64 to count")
	flag.Parse()
	if err := run(*name, *bursts); err != nil {
		fmt.Fprintln(os.Stderr, "instructions:", err)
		os.Exit(1)
	}
}

func run(name string, bursts int) error {
	debug.SetGCPercent(-1)
	parts := strings.Split(name, "/")
	mode, ok := service.ParseMode(parts[0])
	if !ok || len(parts) < 2 {
		return fmt.Errorf("case: %s: no such: use e.g. dr/ipv4, nat/ipv6, fullnat/ipv4/reply", name)
	}
	r, err := newRig(load.Setup{Mode: mode, IPv6: parts[1] == "ipv6"}, flows+(warm+bursts)*packet.BurstSize)
	if err != nil {
		return err
	}
	next, kept := load.InOrder(flows), flows
	write := func(frame []byte) { r.frames.Request(frame, next(), packet.ACK) }
	for range flows / packet.BurstSize {
		r.fill(write)
		r.worker.Poll()
	}
	switch {
	case len(parts) > 2 && parts[2] == "new": // every packet opens a flow
		kept = r.table.Cap() - r.table.Cap6()
		next = load.InOrder(kept)
		for range flows {
			next()
		}
	case len(parts) > 2:
		replies := load.Replies(r.table)
		write = func(frame []byte) { r.frames.Reply(frame, &replies[next()], packet.ACK) }
	}
	for i := range warm + bursts {
		r.fill(write)
		if i < warm {
			r.worker.Poll()
			continue
		}
		counted(r.worker)
	}
	if want := (warm+bursts)*packet.BurstSize + flows; r.port.sent != want || r.table.Len() != kept {
		return fmt.Errorf("case %s: %d of %d packets forwarded, %d flows: a bug in Sluice or its benchmark, report it", name, r.port.sent, want, r.table.Len())
	}
	return nil
}

// counted is where callgrind counts.
//
//go:noinline
func counted(w *worker.Worker) { w.Poll() }

// port hands out the same 64 buffers in every poll.
type port struct {
	packet.Port
	bufs packet.Burst
	sent int
}

func (p *port) Info() packet.PortInfo {
	return packet.PortInfo{Name: "fake", MAC: packet.MAC{2, 0, 0, 0, 0, 1}, MTU: 1500, Queues: 1}
}

func (p *port) Rx(_ uint16, burst *packet.Burst) int {
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

func newRig(s load.Setup, size int) (*rig, error) {
	r := &rig{port: new(port)}
	for i := range r.port.bufs {
		r.port.bufs[i] = packet.NewBuf(headroom+2048, headroom)
	}
	g, err := load.NewGateway(r.port.Info().MAC, s)
	if err != nil {
		return nil, err
	}
	if r.table, err = flow.New(flow.Config{Flows: size, Flows6: size, Seed: 1}); err != nil {
		return nil, err
	}
	r.frames = g.Frames()
	r.worker = worker.New(worker.Config{Ports: []packet.Port{r.port}, Store: g.Store, Table: r.table,
		Kernel: packet.NewKernelRings(1, 64), Services: 2, Backends: 65, Limits: worker.DefaultLimits()})
	return r, nil
}

const headroom = 128

// fill makes all buffers new frames.
func (r *rig) fill(write func([]byte)) {
	for _, b := range r.port.bufs {
		b.Cut(headroom - b.Headroom()) // tun has put a header in front
		b.SetLen(r.frames.Len())
		write(b.Bytes())
	}
}
