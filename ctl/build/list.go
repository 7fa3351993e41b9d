package build

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/service"
)

// Services is the configuration: services and their backends in the order they
// were added, every default filled in.
func (b *Builder) Services() api.ServiceList {
	b.mu.Lock()
	now, order := b.store.Load(), b.inOrder()
	b.mu.Unlock()
	list := api.ServiceList{Revision: now.Revision, Services: make([]api.Service, len(order))}
	for i, id := range order {
		list.Services[i] = describe(*now.Services.At(uint32(id)), func(id uint32) service.Backend { return *now.Backends.At(id) })
	}
	return list
}

// Counts is how many services and backends there are, removed ones not counted;
// cheaper than asking Services.
func (b *Builder) Counts() (services, backends int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.services.present(), b.backends.present()
}

// inOrder is the services present, in the order they were added.
func (b *Builder) inOrder() []service.ID {
	return slices.SortedFunc(maps.Keys(b.added), func(x, y service.ID) int {
		if b.added[x] < b.added[y] {
			return -1
		}
		return 1
	})
}

// describe is a service in the words of package api; without its backends when
// get is nil.
func describe(svc service.Service, get func(uint32) service.Backend) api.Service {
	s := api.Service{Protocol: "tcp", Address: svc.Key.Addr.String(), Port: svc.Key.Port,
		Mode: svc.Mode.String(), Scheduler: svc.Sched, Backends: []api.Backend{}}
	if svc.Key.Proto == service.UDP {
		s.Protocol = "udp"
	}
	for _, local := range svc.Locals {
		s.LocalAddresses = append(s.LocalAddresses, local.String())
	}
	if get == nil {
		return s
	}
	for _, id := range slices.Backward(svc.Backends) { // newest first there, oldest first here
		backend := get(uint32(id))
		s.Backends = append(s.Backends, api.Backend{Address: backend.Addr.String(), Port: backend.Port, Weight: &backend.Weight})
	}
	return s
}

// Addresses is what the gateway has to answer for now: the virtual and local
// addresses of all services, those that flows still use included, sorted.
func (b *Builder) Addresses() []netip.Addr { return b.ours(true) }

// Locals is Addresses without the virtual ones.
func (b *Builder) Locals() []netip.Addr { return b.ours(false) }

func (b *Builder) ours(virtual bool) []netip.Addr {
	now := b.store.Load()
	ours := map[netip.Addr]bool{}
	for i := range uint32(now.Services.Len()) {
		svc := now.Services.At(i)
		if !svc.Present {
			continue
		}
		if virtual {
			ours[svc.Key.Addr] = true
		}
		for _, local := range slices.Concat(svc.Locals, svc.Former) {
			ours[local] = true
		}
	}
	return slices.SortedFunc(maps.Keys(ours), netip.Addr.Compare)
}

// Backends is the addresses of all backends present, weight 0 included, sorted:
// those whose next hops have to be kept resolved.
func (b *Builder) Backends() []netip.Addr {
	now := b.store.Load()
	theirs := map[netip.Addr]bool{}
	for i := range uint32(now.Backends.Len()) {
		if backend := now.Backends.At(i); backend.Present {
			theirs[backend.Addr] = true
		}
	}
	return slices.SortedFunc(maps.Keys(theirs), netip.Addr.Compare)
}
