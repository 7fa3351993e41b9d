package main

import (
	"context"
	"net/netip"
	"time"
)

const (
	resolveEvery = 5 * time.Millisecond // how long a packet's next hop waits to be asked for
	lookEvery    = time.Second

	// A twin follows its port down when the link was away at so many looks in a row,
	// and up again at once.
	followEvery = 200 * time.Millisecond
	awayLooks   = 4
	retireEvery = 2 * time.Second
)

// startUpkeep looks after what changes without being asked for.
func (e *engine) startUpkeep() {
	e.upkeep.Go(func() { e.every(resolveEvery, e.resolveWanted) })
	e.upkeep.Go(func() { e.every(followEvery, e.follow()) })
	e.upkeep.Go(func() { e.every(lookEvery, e.look) })
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

// look does what is due every second: give ids back, measure how busy workers are.
func (e *engine) look() {
	e.builder.Collect()
	e.watch.look(e.log, time.Now())
}

// follow lets twins follow their ports' carriers, now and whenever it is called
// again. Each time that a twin goes down the kernel forgets its neighbors, and it
// sends nothing before a second has passed: a link that is away for a moment only
// would cost more than the moment.
func (e *engine) follow() func() {
	links := make([]carrier, len(e.plane.ports))
	for i, p := range e.plane.ports {
		links[i].up = p.LinkUp()
		e.linkChanged(i, links[i].up)
	}
	return func() {
		for i, p := range e.plane.ports {
			if links[i].look(p.LinkUp()) {
				e.linkChanged(i, links[i].up)
			}
		}
	}
}

// carrier is a port's, as its twins have it.
type carrier struct {
	up   bool
	away int // looks at which there was no link, in a row
}

// look says whether what was just seen of the link changes it.
func (c *carrier) look(up bool) (changed bool) {
	if c.away++; up {
		c.away = 0
	}
	now := up || c.up && c.away < awayLooks
	changed, c.up = now != c.up, now
	return changed
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
