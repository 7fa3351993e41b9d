package main

import (
	"net/netip"
	"slices"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/packet"
)

// findTime is how long a change waits for the hosts that it brings to be found.
// An ARP request is answered in well under a millisecond; a host that is down
// must not hold up changes.
const findTime = 250 * time.Millisecond

// meet has the kernel look for backends that a change brings before workers
// choose them: otherwise the first packets would be dropped as no-neighbour, and
// clients would wait a second for their SYN's retransmission. The caller holds
// e.changing.
func (e *engine) meet(edit api.Edit) {
	if !e.live {
		return
	}
	known := e.builder.Backends()
	fresh := slices.DeleteFunc(backendsOf(edit), func(a netip.Addr) bool {
		_, there := slices.BinarySearchFunc(known, a, netip.Addr.Compare)
		return there
	})
	if len(fresh) == 0 {
		return
	}
	e.path.SetBackends(slices.Concat(known, fresh))
	e.find(fresh)
}

// golive is called once the kernel path works: backends of the configuration file
// are found before the first packet comes.
func (e *engine) golive() {
	e.changing.Lock()
	defer e.changing.Unlock()
	e.live = true
	e.find(e.builder.Backends())
}

// find waits until all of addrs can be sent to, or have no route.
func (e *engine) find(addrs []netip.Addr) {
	for end := time.Now().Add(findTime); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if addrs = slices.DeleteFunc(addrs, e.settled); len(addrs) == 0 {
			return
		}
	}
	e.log.Warn("backends' hosts do not answer ARP or neighbor discovery (yet)", "addresses", addrs[:min(len(addrs), 10)])
}

// settled says whether waiting for addr is of no more use.
func (e *engine) settled(addr netip.Addr) bool {
	net := e.plane.store.Load().Net
	id, verdict := net.NextHop(addr, 0)
	if verdict == packet.DropNoRoute {
		return true
	}
	_, ok := net.Hops.Load(id)
	return ok
}

// backendsOf lists the backends that an edit names. Addresses that are none are
// the builder's to refuse.
func backendsOf(edit api.Edit) (out []netip.Addr) {
	add := func(backends []api.Backend) {
		for _, b := range backends {
			if addr, err := netip.ParseAddr(b.Address); err == nil {
				out = append(out, addr)
			}
		}
	}
	switch edit := edit.(type) {
	case api.PutService:
		add(edit.Service.Backends)
	case api.PutBackend:
		add([]api.Backend{edit.Backend})
	case api.ReplaceServices:
		for _, s := range edit.Services {
			add(s.Backends)
		}
	}
	return out
}
