package build

import (
	"net/netip"

	"github.com/sluice-lb/sluice/service"
)

// Collect forgets removed backends and services that no flow remembers, so that
// their ids can be given out again, and returns the backends' ids. Call it every second or so.
//
// Usage is asked for its revision before it is asked for flows: whoever passed
// the removal creates no flow on the backend any more, so what is 0 then stays 0.
func (b *Builder) Collect() []service.BackendID {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, complete := b.begin(b.store.Load()), b.usage.Revision()
	freed := b.collectBackends(e, complete)
	if b.collectServices(e, complete) || len(freed) > 0 {
		services, backends := e.services.Done(), e.backends.Done()
		_ = b.store.Update(func(now *service.Snapshot) (*service.Snapshot, error) {
			return now.WithoutRemoved(services, backends), nil
		}) // fails only if the function does
	}
	return freed
}

func (b *Builder) collectBackends(e *edit, complete uint64) (freed []service.BackendID) {
	for id, revision := range b.backends.removed {
		if !b.letGo(revision, complete) || b.usage.Flows(id) > 0 {
			continue
		}
		b.usage.Freed(id)
		backend := e.backends.Get(uint32(id))
		b.backends.release(endpoint{backend.Service, netip.AddrPortFrom(backend.Addr, backend.Port)}, id)
		b.held[backend.Service]--
		e.backends.Set(uint32(id), service.Backend{})
		freed = append(freed, id)
	}
	return freed
}

func (b *Builder) collectServices(e *edit, complete uint64) (any bool) {
	for id, revision := range b.services.removed {
		if !b.letGo(revision, complete) || b.held[id] > 0 {
			continue
		}
		b.services.release(e.services.Get(uint32(id)).Key, id)
		delete(b.held, id)
		e.services.Set(uint32(id), service.Service{})
		any = true
	}
	return any
}

// letGo says whether no worker can still create flows from before the revision,
// and the numbers up to complete tell of all that were created.
func (b *Builder) letGo(revision, complete uint64) bool {
	return complete >= revision && b.store.Passed(revision)
}
