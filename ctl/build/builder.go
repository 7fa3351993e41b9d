package build

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"sync"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/service"
)

// Limits bound what can be configured; 0 stands for the default. Ids run from 1
// to the limit inclusive: arrays indexed by id are one longer. Removed services
// and backends count while flows remember them.
type Limits struct {
	Services int // default 65536
	Backends int // of all services together; default 1,000,000
}

// Usage tells what workers still hold, from the numbers they publish.
type Usage interface {
	// Revision is the snapshot up to which the numbers are complete: every flow
	// that any worker created from an older one is in them, until it ends. It is
	// the least of the workers' (worker.Stats.Revision).
	Revision() uint64

	// Flows is how many flows name the backend now, summed over all workers.
	Flows(service.BackendID) uint64

	// Scan calls visit for every flow that is there from before the call until
	// after it: the service it belongs to, its mode and, for fullnat, its local
	// address. It may take long.
	Scan(ctx context.Context, visit func(service.ID, service.Mode, netip.Addr)) error

	// Freed is told of an id that Collect frees before anybody can get it:
	// what is counted from then on is the next one's.
	Freed(service.BackendID)
}

// Builder keeps the configuration and publishes it. All methods may be called
// from any goroutine. Those that change something check all of it first, return
// the revision after it, and change nothing, the revision included, when they
// fail or when the outcome is what is there already. Where they take an expected
// revision, nil is any, and another than the present one is refused as Stale.
type Builder struct {
	store  *service.Store
	usage  Usage
	limits Limits

	mu         sync.Mutex // one change at a time; guards what follows
	services   ids[service.Key, service.ID]
	backends   ids[endpoint, service.BackendID]
	held       map[service.ID]int    // backends that have an id, removed ones included
	former     map[service.ID]uint64 // services that keep something for older flows: revision of the change
	added      map[service.ID]uint64 // order in which services present were added
	sequence   uint64                // last value in added
	generation uint64                // of the last scheduler's plan
}

// endpoint is the key of a backend.
type endpoint struct {
	service service.ID
	at      netip.AddrPort
}

// New makes a builder for a store that holds no services yet.
func New(store *service.Store, limits Limits, usage Usage) *Builder {
	if limits.Services == 0 {
		limits.Services = 1 << 16
	}
	if limits.Backends == 0 {
		limits.Backends = 1e6
	}
	return &Builder{
		store: store, usage: usage, limits: limits,
		services: newIDs[service.Key, service.ID](limits.Services),
		backends: newIDs[endpoint, service.BackendID](limits.Backends),
		held:     map[service.ID]int{}, former: map[service.ID]uint64{}, added: map[service.ID]uint64{},
	}
}

// PutService adds a service or changes what differs. Backends nil keeps those
// that it has; otherwise they become exactly the given ones, where those already
// there keep their place and new ones are added in the order given. Flows keep
// the mode and local address that they began with, see Retire.
func (b *Builder) PutService(s api.Service, expect *uint64) (uint64, error) {
	return b.change(expect, func(e *edit) error {
		if s.Backends == nil {
			s.Backends = b.present(e, s).Backends
		}
		w, err := check(s)
		if err == nil {
			err = b.checkRoom([]wanted{w})
		}
		if err == nil {
			e.put(w)
		}
		return err
	})
}

// DeleteService removes a service and its backends.
func (b *Builder) DeleteService(key api.Key, expect *uint64) (uint64, error) {
	return b.change(expect, func(e *edit) error {
		id, err := b.find(e, key)
		if err == nil {
			e.delete(id)
		}
		return err
	})
}

// PutBackend adds a backend to a service or changes its weight.
func (b *Builder) PutBackend(key api.Key, backend api.Backend, expect *uint64) (uint64, error) {
	return b.change(expect, func(e *edit) error {
		id, err := b.find(e, key)
		if err != nil {
			return err
		}
		svc := e.services.Get(uint32(id))
		w, err := checkBackend(svc, backend)
		if err == nil {
			err = b.checkRoom([]wanted{w})
		}
		if err == nil {
			e.putBackend(svc, w.targets[0])
		}
		return err
	})
}

// DeleteBackend removes a backend from a service.
func (b *Builder) DeleteBackend(key api.Key, at netip.AddrPort, expect *uint64) (uint64, error) {
	return b.change(expect, func(e *edit) error {
		id, err := b.find(e, key)
		if err != nil {
			return err
		}
		backend := b.backends.get(endpoint{id, at})
		if !e.backends.Get(uint32(backend)).Present {
			return api.NoBackend(key, at)
		}
		e.deleteBackend(e.services.Get(uint32(id)), backend)
		return nil
	})
}

// ReplaceAll makes the services exactly the given ones; what is there already
// keeps its place, its ids and its flows.
func (b *Builder) ReplaceAll(services []api.Service, expect *uint64) (uint64, error) {
	all, err := checkAll(services)
	if err != nil {
		return 0, err
	}
	return b.change(expect, func(e *edit) error {
		if err := b.checkRoom(all); err != nil {
			return err
		}
		stays := make(map[service.Key]bool, len(all))
		for _, w := range all {
			stays[w.key] = true
		}
		for _, id := range b.inOrder() {
			if !stays[e.services.Get(uint32(id)).Key] {
				e.delete(id)
			}
		}
		for _, w := range all {
			e.put(w)
		}
		return nil
	})
}

// change runs one transaction. do fails before it changes anything, or not.
func (b *Builder) change(expect *uint64, do func(*edit) error) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.store.Load()
	if expect != nil && *expect != now.Revision {
		return 0, &api.Error{Kind: api.Stale, Field: "revision", Value: strconv.FormatUint(*expect, 10),
			Why:    fmt.Sprintf("the configuration is at revision %d", now.Revision),
			Remedy: "read it again, and repeat the change on what you find"}
	}
	e := b.begin(now)
	if err := do(e); err != nil {
		return 0, err
	}
	if !e.changed {
		return now.Revision, nil
	}
	e.publish()
	return e.revision, nil
}

// find is the id of a service that is present.
func (b *Builder) find(e *edit, key api.Key) (service.ID, error) {
	id := b.services.get(wireKey(key))
	if !e.services.Get(uint32(id)).Present {
		return 0, &api.Error{Kind: api.NotFound, Field: "service", Value: key.String(),
			Why: "no such service", Remedy: "list them with: sluicectl service list"}
	}
	return id, nil
}

// present is the service of that key as it is now; the zero value when there is
// none, or no such key.
func (b *Builder) present(e *edit, s api.Service) api.Service {
	key, err := s.Key()
	if err != nil {
		return api.Service{}
	}
	id, err := b.find(e, key)
	if err != nil {
		return api.Service{}
	}
	return describe(e.services.Get(uint32(id)), e.backends.Get)
}
