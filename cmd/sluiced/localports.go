package main

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/worker"
)

// poolKey is a local address towards a backend.
type poolKey struct {
	proto   uint8
	backend netip.AddrPort
	local   netip.Addr
}

// poolUse is what each worker uses of a pool and may use.
type poolUse []struct{ flows, ports uint64 }

// LocalPorts asks the workers, between two bursts of theirs, which local ports
// are in use.
func (e *engine) LocalPorts(ctx context.Context) (api.LocalPorts, error) {
	pools, err := e.pools(ctx)
	if err != nil {
		return api.LocalPorts{}, err
	}
	snap := e.plane.store.Load()
	out := api.LocalPorts{Services: []api.ServicePorts{}, Addresses: localAddresses(pools, snap)}
	for i := range uint32(snap.Services.Len()) {
		if svc := snap.Services.At(i); svc.Present && svc.Mode == service.ModeFullNAT {
			out.Services = append(out.Services, servicePorts(pools, snap, svc, len(e.plane.workers)))
		}
	}
	slices.SortStableFunc(out.Services, func(a, b api.ServicePorts) int { return cmp.Compare(b.Ratio, a.Ratio) })
	return out, nil
}

func (e *engine) pools(ctx context.Context) (map[poolKey]poolUse, error) {
	pools := map[poolKey]poolUse{}
	for i, w := range e.plane.workers {
		err := w.LocalPools(ctx, func(p *worker.LocalPool) error {
			key := poolKey{p.Proto(), p.Backend(), p.Local()}
			use := pools[key]
			if use == nil {
				use = unused(len(e.plane.workers))
				pools[key] = use
			}
			use[i].flows, use[i].ports = uint64(p.Flows), uint64(p.Ports)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return pools, nil
}

// unused is a pool without flows. Workers' shares are alike within a few percent;
// what matters of the exact ones is known from those that are in use.
func unused(workers int) poolUse {
	use := make(poolUse, workers)
	for i := range use {
		use[i].ports = worker.LocalPorts / uint64(workers)
	}
	return use
}

// ratio is that of the worker which has least left.
func (u poolUse) ratio() (most float64) {
	for _, w := range u {
		if w.ports > 0 {
			most = max(most, float64(w.flows)/float64(w.ports))
		}
	}
	return most
}

func (u poolUse) flows() (sum uint64) {
	for _, w := range u {
		sum += w.flows
	}
	return sum
}

// servicePorts finds a service's fullest backend: a new flow takes any of the
// service's local addresses, so they count together.
func servicePorts(pools map[poolKey]poolUse, snap *service.Snapshot, svc *service.Service, workers int) api.ServicePorts {
	out := api.ServicePorts{Protocol: protocol(svc.Key.Proto), Address: svc.Key.Addr.String(), Port: svc.Key.Port}
	for _, id := range slices.Backward(svc.Backends) { // oldest first
		b := snap.Backends.At(uint32(id))
		backend := netip.AddrPortFrom(b.Addr, b.Port)
		sum := make(poolUse, workers)
		for _, local := range svc.Locals {
			use := pools[poolKey{svc.Key.Proto, backend, local}]
			if use == nil {
				use = unused(workers)
			}
			for i := range use {
				sum[i].flows += use[i].flows
				sum[i].ports += use[i].ports
			}
		}
		if ratio := sum.ratio(); out.Backend == "" || ratio > out.Ratio {
			out.Backend, out.Used, out.Ratio = backend.String(), sum.flows(), ratio
			out.Max = worker.LocalPorts * uint64(len(svc.Locals))
		}
	}
	return out
}

// localAddresses are those of all services in mode fullnat, and those that flows
// of before still use.
func localAddresses(pools map[poolKey]poolUse, snap *service.Snapshot) []api.LocalAddress {
	all := map[netip.Addr]*api.LocalAddress{}
	at := func(a netip.Addr) *api.LocalAddress {
		if all[a] == nil {
			all[a] = &api.LocalAddress{Address: a.String()}
		}
		return all[a]
	}
	for i := range uint32(snap.Services.Len()) {
		if svc := snap.Services.At(i); svc.Present && svc.Mode == service.ModeFullNAT {
			for _, a := range svc.Locals {
				at(a)
			}
		}
	}
	for key, use := range pools {
		l := at(key.local)
		l.Flows += use.flows()
		l.Backends++
		l.Fullest = max(l.Fullest, use.ratio())
	}
	out := make([]api.LocalAddress, 0, len(all))
	for _, a := range slices.SortedFunc(maps.Keys(all), netip.Addr.Compare) {
		out = append(out, *all[a])
	}
	return out
}
