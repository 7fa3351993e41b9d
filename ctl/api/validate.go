package api

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
)

// The gate: what passes Canonical is well-formed, complete and free of
// contradictions within itself, and nobody behind it checks that again. What
// only the engine can know (schedulers and modes that exist, room for more) it
// refuses itself.

var schedulerName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Key returns the service's key. The error is an *Error of kind Invalid.
func (s Service) Key() (Key, error) {
	return NewKey(s.Protocol, s.Address, strconv.Itoa(int(s.Port)))
}

// Canonical returns a copy of s with every default filled in (scheduler,
// backends' ports and weights) and every address in canonical spelling. The
// error is an *Error or Errors of kind Invalid: everything that is wrong.
func (s Service) Canonical() (Service, error) {
	out, errs := s.canonical()
	return out, errs.err()
}

func (s Service) canonical() (Service, Errors) {
	var errs Errors
	key, err := s.Key()
	if err != nil {
		errs.add(List(err)...)
		return s, errs
	}
	s.Address = key.Address.String()
	if s.Scheduler == "" {
		s.Scheduler = DefaultScheduler
	}
	errs.add(s.checkMode(), s.checkScheduler())
	s.LocalAddresses = s.canonicalLocals(key, &errs)
	s.Backends = s.canonicalBackends(key, &errs)
	return s, errs
}

func (s Service) checkMode() *Error {
	switch s.Mode {
	case "dr", "nat", "fullnat", "tun":
		return nil
	case "":
		return &Error{Kind: Invalid, Field: "mode", Why: "mode is missing", Remedy: "use dr, nat, fullnat or tun"}
	}
	return &Error{Kind: Invalid, Field: "mode", Value: s.Mode, Why: "unknown mode", Remedy: "use dr, nat, fullnat or tun"}
}

func (s Service) checkScheduler() *Error {
	if schedulerName.MatchString(s.Scheduler) {
		return nil
	}
	return &Error{Kind: Invalid, Field: "scheduler", Value: s.Scheduler, Why: "not a scheduler's name", Remedy: "use rr or wrr"}
}

func (s Service) canonicalLocals(key Key, errs *Errors) []string {
	if len(s.LocalAddresses) > 0 && s.Mode != "fullnat" && s.Mode != "tun" {
		errs.add(&Error{Kind: Invalid, Field: "local_addresses", Value: s.LocalAddresses[0],
			Why: "mode " + s.Mode + " has no local addresses", Remedy: "leave them out, or use mode fullnat or tun"})
		return nil
	}
	var out []string
	for i, text := range s.LocalAddresses {
		field := fmt.Sprintf("local_addresses[%d]", i)
		addr, err := parseAddr(text)
		switch {
		case err != nil:
			errs.add(&Error{Kind: Invalid, Field: field, Value: text, Why: err.(*Error).Why, Remedy: err.(*Error).Remedy})
		case s.Mode == "fullnat" && addr.Is4() != key.Address.Is4():
			errs.add(&Error{Kind: Invalid, Field: field, Value: text,
				Why: "not of the virtual address's family", Remedy: "fullnat works within IPv4 or within IPv6; give one of the other family, or use mode tun"})
		case slices.Contains(out, addr.String()):
			errs.add(&Error{Kind: Invalid, Field: field, Value: text, Why: "given twice", Remedy: "keep one"})
		default:
			out = append(out, addr.String())
		}
	}
	return out
}

func (s Service) canonicalBackends(key Key, errs *Errors) []Backend {
	out := make([]Backend, 0, len(s.Backends))
	seen := make(map[netip.AddrPort]bool, len(s.Backends))
	for i, b := range s.Backends {
		field := fmt.Sprintf("backends[%d]", i)
		b, bad := b.canonical(s.Mode, key)
		if bad != nil {
			errs.add(bad.within(field))
			continue
		}
		ep := b.endpoint()
		if seen[ep] {
			errs.add(&Error{Kind: Invalid, Field: field, Value: ep.String(), Why: "given twice", Remedy: "keep one, with the weight you want"})
		}
		seen[ep] = true
		out = append(out, b)
	}
	return out
}

// canonical fills in the defaults of a backend of the service key.
func (b Backend) canonical(mode string, key Key) (Backend, *Error) {
	addr, err := parseAddr(b.Address)
	if err != nil {
		return b, err.(*Error)
	}
	b.Address = addr.String()
	if b.Port == 0 {
		b.Port = key.Port
	}
	weight := b.EffectiveWeight()
	b.Weight = &weight
	direct := mode == "dr" || mode == "tun"
	switch {
	case direct && b.Port != key.Port:
		return b, &Error{Kind: Invalid, Field: "port", Value: strconv.Itoa(int(b.Port)),
			Why: "mode " + mode + " does not change ports", Remedy: fmt.Sprintf("leave it out, or use the service's port %d", key.Port)}
	case mode != "tun" && addr.Is4() != key.Address.Is4():
		return b, &Error{Kind: Invalid, Field: "address", Value: b.Address,
			Why: "not of the virtual address's family", Remedy: "mode " + mode + " works within IPv4 or within IPv6; only mode tun joins them"}
	case addr == key.Address:
		return b, &Error{Kind: Invalid, Field: "address", Value: b.Address,
			Why: "is the service's own virtual address", Remedy: "give the address of the real server"}
	case weight > MaxWeight:
		return b, &Error{Kind: Invalid, Field: "weight", Value: strconv.Itoa(int(weight)), Why: "too large", Remedy: "give 0 to 65535"}
	}
	return b, nil
}

// endpoint is where a canonical backend is.
func (b Backend) endpoint() netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(b.Address), b.Port)
}

// CanonicalServices returns a canonical copy of all of a configuration. The
// error is an *Error or Errors of kind Invalid.
func CanonicalServices(services []Service) ([]Service, error) {
	var errs Errors
	out := make([]Service, 0, len(services))
	first := make(map[Key]int, len(services))
	for i, s := range services {
		field := fmt.Sprintf("services[%d]", i)
		s, bad := s.canonical()
		for _, e := range bad {
			errs.add(e.within(field))
		}
		if key, err := s.Key(); err == nil {
			if j, twice := first[key]; twice {
				errs.add(&Error{Kind: Invalid, Field: field, Value: key.String(),
					Why: fmt.Sprintf("the same as services[%d]", j), Remedy: "keep one"})
			} else {
				first[key] = i
			}
		}
		out = append(out, s)
	}
	return out, errs.err()
}
