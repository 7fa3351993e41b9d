package build

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/sched"
	"github.com/sluice-lb/sluice/service"
)

// What api.Service.Canonical lets pass is well-formed and free of contradictions
// within itself. Here follows what only the engine knows: what it implements,
// what cannot work on the wire, and how much there is room for.

// check turns a service as asked for into one that can be put.
func check(s api.Service) (wanted, error) {
	s, err := s.Canonical()
	if err != nil {
		return wanted{}, err
	}
	w, bad := convert(s)
	return w, joined(bad)
}

// checkBackend checks one backend against the service that it is for.
func checkBackend(svc service.Service, backend api.Backend) (wanted, error) {
	s := describe(svc, nil)
	s.Backends = []api.Backend{backend}
	w, err := check(s)
	for _, e := range api.List(err) {
		e.Field = strings.TrimPrefix(strings.TrimPrefix(e.Field, "backends[0]"), ".")
	}
	return w, err
}

// checkAll checks a whole configuration.
func checkAll(services []api.Service) ([]wanted, error) {
	services, err := api.CanonicalServices(services)
	if err != nil {
		return nil, err
	}
	var all []wanted
	var bad api.Errors
	for i, s := range services {
		w, wrong := convert(s)
		for _, e := range wrong {
			e.Field = fmt.Sprintf("services[%d].%s", i, e.Field)
		}
		all, bad = append(all, w), append(bad, wrong...)
	}
	return all, joined(bad)
}

// joined is all that is wrong as one error; the first 20 are enough to read.
func joined(bad api.Errors) error {
	switch len(bad) {
	case 0:
		return nil
	case 1:
		return bad[0]
	}
	return bad[:min(len(bad), 20)]
}

// convert takes a canonical service.
func convert(s api.Service) (w wanted, bad api.Errors) {
	key, err := s.Key()
	if err != nil {
		return w, api.List(err)
	}
	w = wanted{key: wireKey(key), sched: s.Scheduler}
	w.mode, _ = service.ParseMode(s.Mode)
	bad = slices.DeleteFunc(api.Errors{
		checkOnWire("address", key.Address), checkScheduler(s.Scheduler), checkLocals(s),
	}, func(e *api.Error) bool { return e == nil })
	for i, text := range s.LocalAddresses {
		addr := netip.MustParseAddr(text)
		if e := checkOnWire(fmt.Sprintf("local_addresses[%d]", i), addr); e != nil {
			bad = append(bad, e)
		}
		w.locals = append(w.locals, addr)
	}
	w.targets = make([]target, len(s.Backends))
	sourceless := [2]bool{} // by family, to complain once
	for i, b := range s.Backends {
		t := target{at: netip.AddrPortFrom(netip.MustParseAddr(b.Address), b.Port), weight: b.EffectiveWeight()}
		field := fmt.Sprintf("backends[%d].address", i)
		if w.mode == service.ModeTun {
			t.local = firstOf(t.at.Addr().Is4(), w.locals)
		}
		e := checkTarget(field, w, t)
		if e == nil && w.mode == service.ModeTun && !t.local.IsValid() && !sourceless[family(t.at.Addr())] {
			sourceless[family(t.at.Addr())] = true
			e = noSource(field, key, t.at.Addr())
		}
		if e != nil {
			bad = append(bad, e)
		}
		w.targets[i] = t
	}
	return w, bad
}

func checkTarget(field string, w wanted, t target) *api.Error {
	addr := t.at.Addr()
	if slices.Contains(w.locals, addr) {
		return &api.Error{Kind: api.Invalid, Field: field, Value: addr.String(),
			Why: "is one of the service's local addresses", Remedy: "give the address of the real server"}
	}
	return checkOnWire(field, addr)
}

// firstOf is the first address of a family; invalid when there is none.
func firstOf(is4 bool, addrs []netip.Addr) (first netip.Addr) {
	if i := slices.IndexFunc(addrs, func(a netip.Addr) bool { return a.Is4() == is4 }); i >= 0 {
		first = addrs[i]
	}
	return first
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// noSource is about a tunnel whose outer header would have no source.
func noSource(field string, key api.Key, backend netip.Addr) *api.Error {
	name := [2]string{"IPv4", "IPv6"}[family(backend)]
	return &api.Error{Kind: api.Invalid, Field: field, Value: backend.String(),
		Why:    "mode tun needs a local address of the backend's family, " + name + ", as source of the outer header",
		Remedy: fmt.Sprintf("add one of the gateway's own to local_addresses: sluicectl service set %s --local ADDRESS (with those it has)", key)}
}

func checkOnWire(field string, addr netip.Addr) *api.Error {
	switch {
	case addr.IsLoopback():
		return &api.Error{Kind: api.Invalid, Field: field, Value: addr.String(),
			Why: "loopback addresses do not appear on a wire", Remedy: "use an address that other hosts can reach"}
	case addr.Is6() && addr.IsLinkLocalUnicast():
		return &api.Error{Kind: api.Invalid, Field: field, Value: addr.String(),
			Why: "a link-local address is another host on every link", Remedy: "use a global or unique local one (2000::/3, fd00::/8)"}
	}
	return nil
}

func checkScheduler(name string) *api.Error {
	if sched.Known(name) {
		return nil
	}
	return &api.Error{Kind: api.Invalid, Field: "scheduler", Value: name,
		Why: "unknown scheduler", Remedy: "use " + alternatives(sched.Names())}
}

func checkLocals(s api.Service) *api.Error {
	if s.Mode != "fullnat" || len(s.LocalAddresses) > 0 {
		return nil
	}
	return &api.Error{Kind: api.Invalid, Field: "local_addresses",
		Why:    "mode fullnat needs addresses of the gateway's own, from which backends see requests come",
		Remedy: "give at least one that the backends can reach"}
}

func alternatives[T any](choices []T) string {
	words := make([]string, len(choices))
	for i, c := range choices {
		words[i] = fmt.Sprint(c)
	}
	return strings.Join(words, " or ")
}

// checkRoom refuses what would need more ids than there are.
func (b *Builder) checkRoom(all []wanted) error {
	services, backends := 0, 0
	for _, w := range all {
		id := b.services.get(w.key)
		if id == 0 {
			services++
			backends += len(w.targets)
			continue
		}
		for _, t := range w.targets {
			if b.backends.get(endpoint{id, t.at}) == 0 {
				backends++
			}
		}
	}
	if services > b.services.room() {
		return exhausted("services", b.limits.Services, len(b.services.byKey), len(b.services.removed), services)
	}
	if backends > b.backends.room() {
		return exhausted("backends", b.limits.Backends, len(b.backends.byKey), len(b.backends.removed), backends)
	}
	return nil
}

func exhausted(what string, limit, used, removed, more int) error {
	return &api.Error{Kind: api.Exhausted, Field: what, Value: fmt.Sprintf("%d more", more),
		Why:    fmt.Sprintf("%d of at most %d are in use, %d of them removed but not forgotten by flows yet", used, limit, removed),
		Remedy: "remove what is not needed and wait until its flows have ended, or raise limits." + what + " and restart"}
}

// wireKey is the key as workers see it.
func wireKey(key api.Key) service.Key {
	proto := uint8(service.TCP)
	if key.Protocol == "udp" {
		proto = service.UDP
	}
	return service.Key{Proto: proto, Addr: key.Address, Port: key.Port}
}
