package main

import (
	"context"
	"net/netip"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/worker"
)

// Counters is the traffic of all services and backends, removed backends that
// flows remember included.
func (e *engine) Counters() []api.ServiceCounters {
	snap := e.plane.store.Load()
	byService := map[service.ID]int{}
	var out []api.ServiceCounters
	var totals []worker.Load // beside out
	for _, s := range e.builder.Services().Services {
		key, err := s.Key()
		if err != nil {
			continue // cannot be: the builder keeps canonical services
		}
		svc := snap.Lookup(wireKey(key))
		if svc == nil {
			continue // removed between the two reads
		}
		byService[svc.ID] = len(out)
		totals = append(totals, worker.Load{})
		out = append(out, api.ServiceCounters{Protocol: s.Protocol, Address: s.Address, Port: s.Port, Mode: s.Mode,
			Backends: []api.BackendCounters{}})
	}
	for id := uint32(1); id < uint32(snap.Backends.Len()); id++ {
		b := snap.Backends.At(id)
		if i, ok := byService[b.Service]; ok && b.ID != 0 {
			load := e.load(b.ID)
			totals[i].Add(load)
			out[i].Backends = append(out[i].Backends, backendRow(b, load))
		}
	}
	for i := range out {
		out[i].Traffic = traffic(totals[i])
	}
	return out
}

// backendRow is one backend's traffic; a removed one has no weight any more.
func backendRow(b *service.Backend, load worker.Load) api.BackendCounters {
	row := api.BackendCounters{Address: b.Addr.String(), Port: b.Port, Weight: b.Weight, Removed: !b.Present,
		Traffic: traffic(load)}
	if row.Removed {
		row.Weight = 0
	}
	return row
}

// load is what all workers have counted for a backend since it was given its id.
func (e *engine) load(id service.BackendID) worker.Load {
	e.mu.Lock()
	base := e.baseline[id]
	e.mu.Unlock()
	return e.rawLoad(id).Since(base)
}

func (e *engine) rawLoad(id service.BackendID) (l worker.Load) {
	for _, w := range e.plane.workers {
		l.Add(w.Stats().Backend(id))
	}
	return l
}

// usage implements build.Usage.
type usage struct{ *engine }

// Revision is up to where all workers have published.
func (u usage) Revision() uint64 {
	least := u.plane.workers[0].Stats().Revision()
	for _, w := range u.plane.workers[1:] {
		least = min(least, w.Stats().Revision())
	}
	return least
}

// Flows is how many flows workers still hold on a backend.
func (u usage) Flows(id service.BackendID) uint64 {
	l := u.rawLoad(id)
	return l.Active + l.Inactive
}

// Scan looks through the flows of all workers.
func (u usage) Scan(ctx context.Context, visit func(service.ID, service.Mode, netip.Addr)) error {
	for _, w := range u.plane.workers {
		err := w.Flows(ctx, func(r *worker.Record) error {
			ends := u.ends(r)
			visit(u.plane.store.Load().Backends.At(uint32(ends.Backend)).Service, ends.Mode, ends.local.Addr())
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Freed remembers what an id has counted so far: it is not the next one's.
func (u usage) Freed(id service.BackendID) {
	base := u.rawLoad(id)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.baseline[id] = base
}

func wireKey(k api.Key) service.Key {
	proto := uint8(service.UDP)
	if k.Protocol == "tcp" {
		proto = service.TCP
	}
	return service.Key{Proto: proto, Addr: k.Address, Port: k.Port}
}

func traffic(l worker.Load) api.Traffic {
	return api.Traffic{Flows: l.Flows, Active: l.Active, Inactive: l.Inactive,
		InPackets: l.InPackets, InBytes: l.InBytes, OutPackets: l.OutPackets, OutBytes: l.OutBytes}
}
