package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/build"
	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/ctl/server"
	"github.com/sluice-lb/sluice/dpdk"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/worker"
)

// engine implements server.Engine: what the control socket shows and changes,
// and, for metrics, metrics.Source. It reads published counters only.
type engine struct {
	*daemon
	builder *build.Builder
	started time.Time
	watch   *saturation

	changing  sync.Mutex // one change at a time, the kernel's addresses included
	live      bool       // packets flow; guarded by changing
	reloading sync.Mutex // one reload at a time

	mu       sync.Mutex                        // guards what follows
	baseline map[service.BackendID]worker.Load // counters that an id had when it was given back

	done   chan struct{}
	upkeep sync.WaitGroup
}

func newEngine(d *daemon) *engine {
	e := &engine{daemon: d, started: time.Now(), watch: newSaturation(d.plane),
		baseline: map[service.BackendID]worker.Load{}, done: make(chan struct{})}
	limits := build.Limits{Services: d.config.Limits.Services, Backends: d.config.Limits.Backends}
	e.builder = build.New(d.plane.store, limits, usage{e})
	return e
}

// Change makes a change of the services, and tells the kernel path which
// addresses to answer for and which hosts to keep resolved.
func (e *engine) Change(_ context.Context, c api.Change) (uint64, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	e.meet(c.Edit)
	revision, err := e.builder.Apply(c)
	e.path.SetBackends(e.builder.Backends())
	if err != nil {
		return revision, err
	}
	if err := e.path.SetAddresses(e.addresses()); err != nil {
		return revision, server.InForce{Err: fmt.Errorf("not all addresses are: %w", err)}
	}
	return revision, nil
}

// addresses are those that the daemon puts on twins.
func (e *engine) addresses() []netip.Addr {
	if e.config.Kernel.VIPs == config.VIPsExternal {
		return e.builder.Locals()
	}
	return e.builder.Addresses()
}

// Services lists the configuration.
func (e *engine) Services() api.ServiceList { return e.builder.Services() }

// Status is the daemon at a glance.
func (e *engine) Status() api.Status {
	s := api.Status{
		Version: release(), DPDK: dpdk.Version(), PID: os.Getpid(), Started: e.started,
		Revision: e.plane.store.Load().Revision, Workers: len(e.plane.workers),
		Mbufs: e.plane.pool.Size(), MbufsInUse: e.plane.pool.InUse(), MbufsHigh: e.watch.mbufs(), Hugepages: e.plane.eal.HasHugepages(),
		Kernel: e.kernelPath(),
	}
	s.Services, s.Backends = e.builder.Counts()
	workers := e.Workers()
	saturated(&s, workers)
	for _, w := range workers {
		s.Flows += w.Flows
		s.FlowsMax += w.FlowsMax
		s.Flows6 += w.Flows6
		s.Flows6Max += w.Flows6Max
		s.Evicted += w.FlowsEvicted
	}
	return s
}

// Workers shows every worker's side of the invariant.
func (e *engine) Workers() []api.Worker {
	out := make([]api.Worker, len(e.plane.workers))
	for i, w := range e.plane.workers {
		s := w.Stats()
		out[i] = api.Worker{
			ID: i, Core: e.config.Workers.Cores[i],
			Received: s.Received.Load(), Generated: s.Generated.Load(),
			Flows: s.Flows.Load(), FlowsMax: uint64(e.plane.tables[i].Cap()),
			Flows6: s.Flows6.Load(), Flows6Max: uint64(e.plane.tables[i].Cap6()),
			FlowsNew: s.Created.Load(), FlowsExpired: s.Expired.Load(), FlowsEvicted: s.Evicted.Load(),
			Polls: s.Polls.Load(), BusyPolls: s.BusyPolls.Load(),
			Gaps: gaps(w), Rings: e.rings(i),
		}
		e.watch.show(&out[i], e.config.Ports)
		for v := packet.Verdict(0); v < packet.NumVerdicts; v++ {
			*outcome(&out[i], v) += s.Verdicts[v].Load()
		}
	}
	return out
}

// outcome is the worker's sum that a verdict belongs to.
func outcome(w *api.Worker, v packet.Verdict) *uint64 {
	switch v.Outcome() {
	case packet.Transmitted:
		return &w.Transmitted
	case packet.ToKernel:
		return &w.ToKernel
	case packet.HandedOver:
		return &w.HandedOver
	}
	return &w.Dropped
}

// Verdicts says how packets ended.
func (e *engine) Verdicts() []api.Verdict {
	out := make([]api.Verdict, 0, packet.NumVerdicts)
	for v := packet.Pending + 1; v < packet.NumVerdicts; v++ {
		row := api.Verdict{Name: v.String(), Outcome: v.Outcome().String(), Help: v.Help()}
		for _, w := range e.plane.workers {
			n := w.Stats().Verdicts[v].Load()
			row.Workers = append(row.Workers, n)
			row.Packets += n
		}
		out = append(out, row)
	}
	return out
}

// Flows lists the flows of all workers, a worker at a time.
func (e *engine) Flows(ctx context.Context, filter api.FlowFilter, emit func(*api.FlowRow) error) error {
	for _, w := range e.plane.workers {
		if err := e.workerFlows(ctx, w, filter, emit); err != nil {
			return err
		}
	}
	return nil
}
