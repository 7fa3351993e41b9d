package api

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
)

// Change is one write: an edit of the service list, optionally only if the list
// still is at a revision. Apply is pure, so whoever keeps the list does
//
//	lock; next, err := change.Apply(current); build from next; publish; unlock
//
// and nothing has changed when any of it fails.
type Change struct {
	If   *uint64 // the revision that the list has to be at; nil: any
	Edit Edit
}

// Edit is one of PutService, DeleteService, PutBackend, DeleteBackend and
// ReplaceServices. Each is idempotent: applied twice it leaves the list as
// applied once (deleting what is not there is NotFound).
type Edit interface {
	fmt.Stringer
	// edit returns the new services, or old itself when nothing has to change;
	// it does not write to old.
	edit(old []Service) ([]Service, error)
}

// PutService adds a service or changes its settings. Backends nil keeps the
// backends that it has, otherwise they are replaced.
type PutService struct{ Service Service }

// DeleteService removes a service and its backends.
type DeleteService struct{ Service Key }

// PutBackend adds a backend at the end or changes its weight in place.
type PutBackend struct {
	Service Key
	Backend Backend
}

// DeleteBackend removes a backend.
type DeleteBackend struct {
	Service Key
	Backend netip.AddrPort
}

// ReplaceServices replaces all services.
type ReplaceServices struct{ Services []Service }

// Apply returns list with the change made, canonical and at the next revision,
// or list itself when the edit changes nothing. Errors are *Error or Errors, of
// kind Stale, Invalid or NotFound.
func (c Change) Apply(list ServiceList) (ServiceList, error) {
	if c.If != nil && *c.If != list.Revision {
		return list, &Error{Kind: Stale, Field: "If-Match", Value: strconv.FormatUint(*c.If, 10),
			Why:    fmt.Sprintf("the configuration is at revision %d", list.Revision),
			Remedy: "read it again, and repeat the change on what you find"}
	}
	next, err := c.Edit.edit(list.Services)
	if err != nil {
		return list, err
	}
	if len(next) == len(list.Services) && (len(next) == 0 || &next[0] == &list.Services[0]) {
		return list, nil
	}
	return ServiceList{Revision: list.Revision + 1, Services: next}, nil
}

func (e PutService) String() string    { return "put service " + e.name() }
func (e DeleteService) String() string { return "delete service " + e.Service.String() }
func (e DeleteBackend) String() string {
	return fmt.Sprintf("delete backend %s of %s", e.Backend, e.Service)
}
func (e ReplaceServices) String() string {
	return fmt.Sprintf("replace all services by %d", len(e.Services))
}
func (e PutBackend) String() string {
	return fmt.Sprintf("put backend %s of %s", e.Backend.Address, e.Service)
}

func (e PutService) name() string {
	key, err := e.Service.Key()
	if err != nil {
		return "(invalid)"
	}
	return key.String()
}

func (e PutService) edit(old []Service) ([]Service, error) {
	key, err := e.Service.Key()
	if err != nil {
		return nil, err
	}
	s, i := e.Service, find(old, key)
	if s.Backends == nil && i >= 0 {
		s.Backends = old[i].Backends
	}
	s, err = s.Canonical()
	if err != nil {
		return nil, err
	}
	if i < 0 {
		return append(slices.Clip(old), s), nil
	}
	return replaced(old, i, s), nil
}

func (e DeleteService) edit(old []Service) ([]Service, error) {
	i := find(old, e.Service)
	if i < 0 {
		return nil, NoService(e.Service)
	}
	return slices.Delete(slices.Clone(old), i, i+1), nil
}

func (e PutBackend) edit(old []Service) ([]Service, error) {
	i := find(old, e.Service)
	if i < 0 {
		return nil, NoService(e.Service)
	}
	s := old[i]
	b, bad := e.Backend.canonical(s.Mode, e.Service)
	if bad != nil {
		return nil, bad
	}
	if j := s.findBackend(b.endpoint()); j < 0 {
		s.Backends = append(slices.Clip(s.Backends), b)
	} else {
		s.Backends = slices.Clone(s.Backends)
		s.Backends[j] = b
	}
	return replaced(old, i, s), nil
}

func (e DeleteBackend) edit(old []Service) ([]Service, error) {
	i := find(old, e.Service)
	if i < 0 {
		return nil, NoService(e.Service)
	}
	s := old[i]
	j := s.findBackend(e.Backend)
	if j < 0 {
		return nil, NoBackend(e.Service, e.Backend)
	}
	s.Backends = slices.Delete(slices.Clone(s.Backends), j, j+1)
	return replaced(old, i, s), nil
}

func (e ReplaceServices) edit(old []Service) ([]Service, error) {
	all, err := CanonicalServices(e.Services)
	if err == nil && reflect.DeepEqual(all, old) {
		return old, nil
	}
	return all, err
}

// Find returns the service with this key; the error is an *Error of kind
// NotFound.
func (l ServiceList) Find(key Key) (Service, error) {
	if i := find(l.Services, key); i >= 0 {
		return l.Services[i], nil
	}
	return Service{}, NoService(key)
}

// FindBackend returns the backend at an endpoint of a canonical service; ok is
// false when there is none.
func (s Service) FindBackend(ep netip.AddrPort) (b Backend, ok bool) {
	if i := s.findBackend(ep); i >= 0 {
		return s.Backends[i], true
	}
	return Backend{}, false
}

// find returns the index of key in canonical services, or -1.
func find(services []Service, key Key) int {
	address := key.Address.String()
	return slices.IndexFunc(services, func(s Service) bool {
		return s.Port == key.Port && s.Protocol == key.Protocol && s.Address == address
	})
}

func (s Service) findBackend(ep netip.AddrPort) int {
	address := ep.Addr().String()
	return slices.IndexFunc(s.Backends, func(b Backend) bool { return b.Port == ep.Port() && b.Address == address })
}

func replaced(old []Service, i int, s Service) []Service {
	if reflect.DeepEqual(old[i], s) {
		return old
	}
	out := slices.Clone(old)
	out[i] = s
	return out
}

// NoService is the error of kind NotFound about a service.
func NoService(key Key) *Error {
	return &Error{Kind: NotFound, Field: "service", Value: key.String(), Why: "no such service",
		Remedy: "list them with: sluicectl service list"}
}

// NoBackend is the error of kind NotFound about a backend.
func NoBackend(key Key, backend netip.AddrPort) *Error {
	return &Error{Kind: NotFound, Field: "backend", Value: backend.String(),
		Why: "no such backend of " + key.String(), Remedy: "list them with: sluicectl backend list " + key.String()}
}
