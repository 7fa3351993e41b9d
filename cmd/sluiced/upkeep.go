package main

import (
	"context"
	"net/netip"
	"time"
)

const (
	resolveEvery = 5 * time.Millisecond // how long a packet's next hop waits to be asked for
	lookEvery    = time.Second
	retireEvery  = 2 * time.Second
)

// startUpkeep looks after what changes without being asked for.
func (e *engine) startUpkeep() {
	e.upkeep.Go(func() { e.every(resolveEvery, e.resolveWanted) })
	e.upkeep.Go(func() { e.every(lookEvery, e.look()) })
	ctx, cancel := context.WithCancel(context.Background())
	e.upkeep.Go(func() { e.every(retireEvery, func() { e.retire(ctx) }) })
	e.upkeep.Go(func() { <-e.done; cancel() })
}

// stopUpkeep ends that.
func (e *engine) stopUpkeep() {
	close(e.done)
	e.upkeep.Wait()
}

func (e *engine) every(interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-tick.C:
			do()
		}
	}
}

// resolveWanted passes on which neighbors workers are missing.
func (e *engine) resolveWanted() {
	for _, w := range e.plane.workers {
		for addr, ok := w.Wanted(); ok; addr, ok = w.Wanted() {
			e.path.Resolve(netip.AddrFrom16(addr).Unmap())
		}
	}
}

// look returns what is done every second: give ids back, let twins follow their
// ports' carriers, measure how busy workers are.
func (e *engine) look() func() {
	up, known := make([]bool, len(e.plane.ports)), make([]bool, len(e.plane.ports))
	follow := func() {
		for i, p := range e.plane.ports {
			if now := p.LinkUp(); now != up[i] || !known[i] {
				up[i], known[i] = now, true
				e.linkChanged(i, now)
			}
		}
	}
	follow()
	return func() {
		follow()
		e.builder.Collect()
		e.watch.look(e.log, time.Now())
	}
}

// retire takes local addresses off the twins that the last flow has left.
func (e *engine) retire(ctx context.Context) {
	changed, err := e.builder.Retire(ctx)
	if changed {
		e.changing.Lock()
		defer e.changing.Unlock()
		err = e.path.SetAddresses(e.addresses())
	}
	if err != nil && ctx.Err() == nil {
		e.log.Error("give up local addresses without flows", "error", err)
	}
}

func (e *engine) linkChanged(port int, up bool) {
	e.log.Info("link", "port", e.config.Ports[port].Name, "up", up)
	if err := e.path.LinkChanged(port, up); err != nil {
		e.log.Error("let the twin follow", "port", e.config.Ports[port].Name, "error", err)
	}
}
