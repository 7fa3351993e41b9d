package build

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/sluice-lb/sluice/sched"
	"github.com/sluice-lb/sluice/service"
)

// edit is one transaction on the snapshot: begun, changed by what follows here
// (which cannot fail: the checks come first), published.
type edit struct {
	b        *Builder
	revision uint64 // that publishing will make
	services *service.Edit[service.Service]
	backends *service.Edit[service.Backend]
	changed  bool
	reindex  bool // keys or addresses of our own differ
}

// wanted is a service as asked for, checked.
type wanted struct {
	key     service.Key
	mode    service.Mode
	sched   string
	locals  []netip.Addr
	targets []target // in the order they are added
}

// target is a backend as asked for.
type target struct {
	at     netip.AddrPort
	weight uint32
	local  netip.Addr // source of the outer header; valid iff the mode is tun
}

func (b *Builder) begin(now *service.Snapshot) *edit {
	return &edit{b: b, revision: now.Revision + 1, services: now.Services.Edit(), backends: now.Backends.Edit()}
}

func (e *edit) publish() {
	services, backends := e.services.Done(), e.backends.Done()
	_ = e.b.store.Update(func(now *service.Snapshot) (*service.Snapshot, error) {
		if e.reindex {
			return now.WithServices(services, backends), nil
		}
		return now.WithBackends(services, backends), nil
	}) // fails only if the function does
}

// put makes the service what w says.
func (e *edit) put(w wanted) {
	id, _ := e.b.services.take(w.key)
	old := e.services.Get(uint32(id))
	svc := service.Service{ID: id, Key: w.key, Mode: w.mode, Present: true,
		Locals: w.locals, Sched: w.sched, Plan: old.Plan, Backends: old.Backends}
	moved := !old.Present || old.Mode != svc.Mode || !slices.Equal(old.Locals, svc.Locals)
	e.keepFormer(&svc, &old)
	merged := e.merge(&svc, w.targets)
	if !moved && !merged && old.Sched == svc.Sched {
		return
	}
	if merged || old.Sched != svc.Sched {
		e.replan(&svc)
	}
	if !old.Present {
		e.b.sequence++
		e.b.added[id] = e.b.sequence
	}
	e.reindex = e.reindex || moved
	e.set(svc)
}

// merge makes the service's backends the targets and says whether any came,
// went or changed weight.
func (e *edit) merge(svc *service.Service, targets []target) bool {
	stays := make(map[service.BackendID]bool, len(targets))
	var came []service.BackendID
	changed := false
	for _, t := range targets {
		id, isNew, differs := e.upsert(svc.ID, t)
		changed = changed || differs
		stays[id] = true
		if isNew {
			came = append(came, id)
		}
	}
	slices.Reverse(came) // newest first
	list := came
	for _, id := range svc.Backends {
		if stays[id] {
			list = append(list, id)
			continue
		}
		e.drop(id)
		changed = true
	}
	if changed {
		svc.Backends = list
	}
	return changed
}

// putBackend adds one backend or changes its weight.
func (e *edit) putBackend(svc service.Service, t target) {
	id, isNew, differs := e.upsert(svc.ID, t)
	if !differs {
		return
	}
	if isNew {
		svc.Backends = append([]service.BackendID{id}, svc.Backends...)
	}
	e.replan(&svc)
	e.set(svc)
}

// deleteBackend removes one backend.
func (e *edit) deleteBackend(svc service.Service, id service.BackendID) {
	e.drop(id)
	svc.Backends = slices.DeleteFunc(slices.Clone(svc.Backends), func(other service.BackendID) bool { return other == id })
	e.replan(&svc)
	e.set(svc)
}

// delete removes a service and its backends.
func (e *edit) delete(id service.ID) {
	svc := e.services.Get(uint32(id))
	for _, backend := range svc.Backends {
		e.drop(backend)
	}
	svc.Present, svc.Plan, svc.Backends, svc.Former, svc.WasNAT = false, nil, nil, nil, false
	delete(e.b.former, id)
	delete(e.b.added, id)
	e.b.services.remove(id, e.revision)
	e.reindex = true
	e.set(svc)
}

// upsert makes one backend what t says. differs is about what schedulers see:
// that it is there, and its weight.
func (e *edit) upsert(svc service.ID, t target) (id service.BackendID, isNew, differs bool) {
	id, fresh := e.b.backends.take(endpoint{svc, t.at})
	if fresh {
		e.b.held[svc]++
	}
	old := e.backends.Get(uint32(id))
	next := service.Backend{ID: id, Service: svc, Addr: t.at.Addr(), Port: t.at.Port(), Weight: t.weight, Present: true}
	if t.local.IsValid() {
		next.TunnelFrom(t.local)
	} else {
		next.Outer = old.Outer // flows from when the mode was tun go on
	}
	if old == next {
		return id, false, false
	}
	e.backends.Set(uint32(id), next)
	e.changed = true
	return id, !old.Present, !old.Present || old.Weight != next.Weight
}

// drop marks one backend as removed; flows on it stay.
func (e *edit) drop(id service.BackendID) {
	backend := e.backends.Get(uint32(id))
	backend.Present = false
	e.backends.Set(uint32(id), backend)
	e.b.backends.remove(id, e.revision)
}

// replan builds the scheduler's plan anew from the service's backends.
func (e *edit) replan(svc *service.Service) {
	if len(svc.Backends) == 0 {
		svc.Plan = nil
		return
	}
	list := make([]sched.Backend, len(svc.Backends))
	for i, id := range svc.Backends {
		list[i] = sched.Backend{ID: id, Weight: e.backends.Get(uint32(id)).Weight}
	}
	e.b.generation++
	plan, err := sched.Rebuild(svc.Plan, svc.Sched, list, e.b.generation)
	if err != nil {
		panic(fmt.Sprintf("build: scheduler passed the checks and is unknown now: %v", err))
	}
	svc.Plan = plan
}

func (e *edit) set(svc service.Service) {
	e.services.Set(uint32(svc.ID), svc)
	e.changed = true
}
