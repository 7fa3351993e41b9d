package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net/netip"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
	"github.com/sluice-lb/sluice/worker"
)

const (
	changeEvery  = 10 * time.Millisecond
	metricsEvery = time.Second
	listEvery    = time.Millisecond // after the last listing's end
)

// churn is a busy control plane.
type churn struct {
	stop            context.CancelFunc
	done            sync.WaitGroup
	mu              sync.Mutex
	err             error
	changes, listed int
	gate            sync.RWMutex // held while the control plane is to be idle
}

func startChurn(r *rig) *churn {
	ctx, stop := context.WithCancel(context.Background())
	c := &churn{stop: stop}
	c.pause()
	c.done.Go(func() { c.every(ctx, changeEvery, func() error { return c.change(r.gateway) }) })
	c.done.Go(func() { c.every(ctx, metricsEvery, func() error { return readMetrics(r.worker.Stats(), r.gateway) }) })
	c.done.Go(func() { c.every(ctx, listEvery, func() error { return c.list(ctx, r.worker) }) })
	return c
}

func (c *churn) pause()  { c.gate.Lock() }
func (c *churn) resume() { c.gate.Unlock() }

// pass waits while there is a pause.
func (c *churn) pass() {
	c.gate.RLock()
	defer c.gate.RUnlock()
}

// end ends a pause, too.
func (c *churn) end() error {
	c.resume()
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
		c.pass()
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
	row, line := new(api.FlowRow), []byte(nil)
	return w.Flows(ctx, func(r *worker.Record) error {
		c.pass()
		c.listed++
		e := &r.Entry4
		*row = api.FlowRow{Protocol: "udp", Mode: e.Mode.String(), State: e.State.String(),
			Client: endpoint(e, flow.Request), Backend: endpoint(e, flow.Reply),
			InPackets: r.Packets[flow.Request], InBytes: r.Bytes[flow.Request]}
		line = row.AppendJSON(line[:0])
		_, err := io.Discard.Write(line)
		return err
	})
}

// endpoint is where packets of a direction come from.
func endpoint(e *flow.Entry4, d flow.Dir) netip.AddrPort {
	var a [4]byte
	binary.LittleEndian.PutUint32(a[:], uint32(e.Addrs[d]))
	return netip.AddrPortFrom(netip.AddrFrom4(a), bits.ReverseBytes16(uint16(e.Sides[d].Ports)))
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
