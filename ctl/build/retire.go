package build

import (
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/sluice-lb/sluice/service"
)

// A flow keeps the mode and the local address that it began with, whatever
// becomes of its service. So a fullnat local address that is taken off a service
// stays ours, and nat replies stay expected, until no flow needs them: the
// change marks them as former, and Retire looks through the flows. (tun's local
// addresses go at once: nobody answers to them. A removed service keeps nothing:
// its requests are dropped.)

// keepFormer lets svc, which replaces old, keep what flows of old need.
func (e *edit) keepFormer(svc, old *service.Service) {
	if !old.Present {
		return
	}
	before, now := old.Former, svc.Locals
	if old.Mode == service.ModeFullNAT {
		before = slices.Concat(old.Former, old.Locals)
	}
	if svc.Mode != service.ModeFullNAT {
		now = nil
	}
	svc.Former = slices.DeleteFunc(slices.Clone(before), func(a netip.Addr) bool { return slices.Contains(now, a) })
	svc.WasNAT = (old.WasNAT || old.Mode == service.ModeNAT) && svc.Mode != service.ModeNAT
	switch {
	case len(svc.Former) == 0 && !svc.WasNAT:
		svc.Former = nil
		delete(e.b.former, svc.ID)
	case old.WasNAT != svc.WasNAT || !slices.Equal(old.Former, svc.Former):
		e.b.former[svc.ID] = e.revision
	}
}

// needs is what flows of one service need of before.
type needs struct {
	locals map[netip.Addr]bool
	nat    bool
}

// Retire gives up what was kept for older flows and is not needed any more, and
// says whether Addresses may be others now. Call it every few seconds: when there
// is something to give up, it looks through all flows. Only what every worker
// has seen leave is looked for, so that no new flow needs it.
func (b *Builder) Retire(ctx context.Context) (bool, error) {
	candidates := b.leaving()
	if len(candidates) == 0 {
		return false, nil
	}
	used := map[service.ID]*needs{}
	for id := range candidates {
		used[id] = &needs{locals: map[netip.Addr]bool{}}
	}
	err := b.usage.Scan(ctx, func(id service.ID, mode service.Mode, local netip.Addr) {
		n := used[id]
		switch {
		case n == nil:
		case mode == service.ModeNAT:
			n.nat = true
		case mode == service.ModeFullNAT:
			n.locals[local] = true
		}
	})
	if err != nil {
		return false, err
	}
	return b.giveUp(candidates, used), nil
}

// leaving are the services that keep something, with the revision since when,
// as far as all workers have passed that.
func (b *Builder) leaving() map[service.ID]uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	passed := maps.Clone(b.former)
	maps.DeleteFunc(passed, func(_ service.ID, revision uint64) bool { return !b.store.Passed(revision) })
	return passed
}

// giveUp drops what candidates do not need, unless they have changed meanwhile.
func (b *Builder) giveUp(candidates map[service.ID]uint64, used map[service.ID]*needs) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.begin(b.store.Load())
	for id, revision := range candidates {
		if b.former[id] == revision {
			e.giveUp(id, used[id])
		}
	}
	if !e.changed {
		return false
	}
	services, backends := e.services.Done(), e.backends.Done()
	_ = b.store.Update(func(now *service.Snapshot) (*service.Snapshot, error) {
		next := now.WithServices(services, backends)
		next.Revision = now.Revision // nobody has changed the configuration
		return next, nil
	}) // fails only if the function does
	return true
}

// giveUp leaves one service what it needs.
func (e *edit) giveUp(id service.ID, used *needs) {
	svc := e.services.Get(uint32(id))
	left := slices.DeleteFunc(slices.Clone(svc.Former), func(a netip.Addr) bool { return !used.locals[a] })
	nat := svc.WasNAT && used.nat
	if len(left) == len(svc.Former) && nat == svc.WasNAT {
		return
	}
	svc.Former, svc.WasNAT = left, nat
	if len(left) == 0 && !nat {
		svc.Former = nil
		delete(e.b.former, id)
	}
	e.set(svc)
}
