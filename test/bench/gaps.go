package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/dpdk/spin"
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
	"github.com/sluice-lb/sluice/worker"
	"github.com/sluice-lb/sluice/worker/gap"
)

// gapCounts counts the time from one poll's end to the next one's. (The
// worker's own histogram would hold the time in which frames are refilled, too.)
type gapCounts struct {
	gap.Histogram
	last time.Duration // end of the poll before, since the chunk began
}

func (g *gapCounts) begin() { g.last = 0 }

func (g *gapCounts) poll(now time.Duration) {
	g.Add(now-g.last, now)
	g.last = now
}

// longest is in microseconds, as all that follows.
func (g *gapCounts) longest() float64 { return micro(g.Longest()) }

// quantile is the upper bound of the class that a share of all gaps is within.
func (g *gapCounts) quantile(share float64) float64 { return micro(g.Quantile(share)) }

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

const (
	gapFlows     = 1e6
	changeEvery  = 10 * time.Millisecond
	metricsEvery = time.Second
)

// gaps measures throughput and gaps while the control plane is busy, beside the
// same without, and beside an empty loop in C on the same core.
func (b *bench) gaps() error {
	long := 20 * time.Second
	if b.quick {
		long = 8 * time.Second
	}
	r, err := b.machine.newRig(load.Setup{Mode: service.ModeFullNAT}, gapFlows, flow.Timeouts{})
	if err != nil {
		return err
	}
	spun := new(gapCounts)
	quiet, churned := new(gapCounts), new(gapCounts)
	write := r.request(load.Uniform(gapFlows), 0)
	err = b.machine.onCore(func() error {
		spun.AddClasses(spin.Run(long / 2))
		return r.fill(gapFlows)
	})
	if err != nil {
		return fmt.Errorf("gaps: %w", err)
	}
	before, err := b.watched(r, write, quiet, long/4)
	if err != nil {
		return err
	}
	c := startChurn(r)
	during, err := b.watched(r, write, churned, long)
	if err = errors.Join(err, c.end()); err != nil {
		return err
	}
	after, err := b.watched(r, write, quiet, long/4)
	if err != nil {
		return err
	}
	base := Result{SpinP99: spun.quantile(0.9999), SpinP9: spun.quantile(0.999999), SpinMax: spun.longest()}
	b.report(base.withGaps("gap/quiet", quiet))
	loaded := base.withGaps("gap/churn", churned)
	loaded.NS, loaded.Kept = during, (before+after)/2/during
	loaded.Changes, loaded.Listed = c.changes, c.listed
	b.report(loaded)
	return r.close()
}

func (r Result) withGaps(name string, g *gapCounts) Result {
	r.Case, r.P9999, r.P999999, r.Max = name, g.quantile(0.9999), g.quantile(0.999999), g.longest()
	return r
}

// watched sends packets for a time and counts gaps; it returns ns a packet.
func (b *bench) watched(r *rig, write func([]byte), gaps *gapCounts, long time.Duration) (ns float64, err error) {
	r.polled = gaps.poll
	defer func() { r.polled = nil }()
	err = b.machine.onCore(func() error {
		var took time.Duration
		packets := 0
		for start := time.Now(); time.Since(start) < long; packets += chunk {
			gaps.begin()
			t, err := r.pass(chunk, write)
			if err != nil {
				return fmt.Errorf("gaps: %w", err)
			}
			took += t
		}
		ns = float64(took) / float64(packets)
		return nil
	})
	return ns, err
}

// churn is a busy control plane.
type churn struct {
	stop            context.CancelFunc
	done            sync.WaitGroup
	mu              sync.Mutex
	err             error
	changes, listed int
}

func startChurn(r *rig) *churn {
	ctx, stop := context.WithCancel(context.Background())
	c := &churn{stop: stop}
	c.done.Go(func() { c.every(ctx, changeEvery, func() error { return c.change(r.gateway) }) })
	c.done.Go(func() { c.every(ctx, metricsEvery, func() error { return readMetrics(r.worker.Stats(), r.gateway) }) })
	c.done.Go(func() { c.every(ctx, time.Millisecond, func() error { return c.list(ctx, r.worker) }) })
	return c
}

func (c *churn) end() error {
	c.stop()
	c.done.Wait()
	return c.err
}

func (c *churn) every(ctx context.Context, period time.Duration, do func() error) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := do(); err != nil && ctx.Err() == nil {
			c.mu.Lock()
			c.err = errors.Join(c.err, err)
			c.mu.Unlock()
			return
		}
	}
}

// change gives the next backend another weight.
func (c *churn) change(g *load.Gateway) error {
	n := c.changes
	c.changes++
	weight := uint32(1 + (n/g.Backends+1)%2)
	_, err := g.Builder.PutBackend(g.Key(0), g.Backend(0, n%g.Backends, weight), nil)
	return err
}

// list has the worker list all flows and writes them as the control socket does.
func (c *churn) list(ctx context.Context, w *worker.Worker) error {
	enc := json.NewEncoder(io.Discard)
	return w.Flows(ctx, func(r *worker.Record) error {
		c.listed++
		e := &r.Entry4
		return enc.Encode(api.Flow{Protocol: "udp", Mode: e.Mode.String(), State: e.State.String(),
			Client: fmt.Sprintf("%x:%x", uint32(e.Addrs[flow.Request]), uint16(e.Ports[flow.Request])), Backend: fmt.Sprintf("%x:%x", uint32(e.Addrs[flow.Reply]), uint16(e.Ports[flow.Reply])),
			InPackets: r.Packets[flow.Request], InBytes: r.Bytes[flow.Request]})
	})
}

// readMetrics prints every counter, as a scrape does.
func readMetrics(s *worker.Stats, g *load.Gateway) error {
	for v := range packet.NumVerdicts {
		fmt.Fprintf(io.Discard, "sluice_packets_total{verdict=%q} %d\n", v.String(), s.Verdicts[v].Load())
	}
	for id := range service.BackendID(g.Backends) {
		fmt.Fprintf(io.Discard, "sluice_backend{id=\"%d\"} %+v\n", id+1, s.Backend(id+1))
	}
	return nil
}
