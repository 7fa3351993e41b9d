package service

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

// Snapshot is everything that workers read, immutable. Snapshots share
// structure: one that changes a backend copies a chunk of each array, some
// kilobytes, and the arrays' lists of chunks.
type Snapshot struct {
	Revision uint64       // counts configuration changes; what the control socket calls revision
	Services Vec[Service] // by ID
	Backends Vec[Backend] // by BackendID
	Net      *Net
	HasNAT   bool // there is a service of mode nat, or flows of one: replies may come for any address

	keys  *index // ids of services present, by what is on the wire
	roles *index // of addresses that are ours
}

// Role is what an address of ours is for.
type Role uint8

// Roles; an address may have both.
const (
	RoleVIP   Role = 1 << iota // address of a service
	RoleLocal                  // fullnat local address (LIP)
)

// Lookup finds the service for a destination on the wire, nil when there is
// none.
func (s *Snapshot) Lookup(key Key) *Service { return s.LookupWire(key.Wire()) }

// LookupWire is Lookup of a packet's destination.
func (s *Snapshot) LookupWire(key Wire) *Service {
	id := s.keys.get(key)
	if id == 0 {
		return nil
	}
	return s.Services.At(id)
}

// Role says what addr is to the fast path; 0 when it is nothing to it.
func (s *Snapshot) Role(addr netip.Addr) Role { return s.RoleWire(wireAddress(addr)) }

// RoleWire is Role of an address of a packet; port and protocol do not matter.
func (s *Snapshot) RoleWire(addr Wire) Role { return Role(s.roles.get(addr.Address())) }

// WithServices returns a snapshot with the next revision and these services and
// backends, indexed. The control plane calls it when services came, went or
// changed address or mode; for backends alone WithBackends is cheaper.
func (s *Snapshot) WithServices(services Vec[Service], backends Vec[Backend]) *Snapshot {
	next := s.WithBackends(services, backends)
	next.keys = newIndex(s.keys.used)
	next.roles = newIndex(s.roles.used)
	next.HasNAT = hasNAT(services)
	for i := range uint32(services.Len()) {
		svc := services.At(i)
		if !svc.Present {
			continue
		}
		next.keys.put(svc.Key.Wire(), uint32(svc.ID))
		next.addRole(svc.Key.Addr, RoleVIP)
		for _, local := range svc.Former {
			next.addRole(local, RoleLocal)
		}
		if svc.Mode != ModeFullNAT {
			continue // tun's local addresses stay the kernel's
		}
		for _, local := range svc.Locals {
			next.addRole(local, RoleLocal)
		}
	}
	return next
}

// WithBackends is WithServices for changes that leave the set of services, their
// keys, modes and local addresses alone.
func (s *Snapshot) WithBackends(services Vec[Service], backends Vec[Backend]) *Snapshot {
	next := *s
	next.Revision++
	next.Services, next.Backends = services, backends
	return &next
}

// WithoutRemoved returns a snapshot of the same revision in which entries of
// removed services and backends are empty that nothing refers to any more.
func (s *Snapshot) WithoutRemoved(services Vec[Service], backends Vec[Backend]) *Snapshot {
	next := *s
	next.Services, next.Backends = services, backends
	next.HasNAT = hasNAT(services)
	return &next
}

// hasNAT looks at removed services, too: flows remember them.
func hasNAT(services Vec[Service]) bool {
	for i := range uint32(services.Len()) {
		if svc := services.At(i); svc.Mode == ModeNAT || svc.WasNAT {
			return true
		}
	}
	return false
}

// WithNet returns a snapshot of the same revision with another view of the network.
func (s *Snapshot) WithNet(net *Net) *Snapshot {
	next := *s
	next.Net = net
	return &next
}

func (s *Snapshot) addRole(addr netip.Addr, role Role) {
	old := s.Role(addr)
	s.roles.put(wireAddress(addr), uint32(old|role))
}

// Store holds the current snapshot. Workers Load it; the control plane replaces
// it, one change at a time.
type Store struct {
	mu      sync.Mutex // control plane: serializes writers
	current atomic.Pointer[Snapshot]
	epochs  []epoch
}

// epoch is a worker's mark of the snapshots it has let go of, on a line of its own.
type epoch struct {
	seen atomic.Uint64 // worker: writes, control plane: reads
	_    [56]byte
}

// NewStore makes a store with an empty snapshot for that many workers.
func NewStore(workers int, hops *NextHops) *Store {
	s := &Store{epochs: make([]epoch, workers)}
	empty := &Snapshot{Net: NewNet(1, hops, nil, nil)}
	empty.keys, empty.roles = newIndex(0), newIndex(0)
	s.current.Store(empty)
	return s
}

// Load is the current snapshot. Readers outside workers may keep it as long as
// they like; it is ordinary collected memory.
func (s *Store) Load() *Snapshot { return s.current.Load() }

// Enter is Load for worker w at the start of a burst: it also publishes that
// the worker holds nothing older than what it returns.
func (s *Store) Enter(w int) *Snapshot {
	snap := s.current.Load()
	s.epochs[w].seen.Store(snap.Revision)
	return snap
}

// Passed says whether every worker has started a burst with a snapshot of at
// least revision, so that none will create a flow from an older one.
func (s *Store) Passed(revision uint64) bool {
	for i := range s.epochs {
		if s.epochs[i].seen.Load() < revision {
			return false
		}
	}
	return true
}

// Update replaces the snapshot by what change makes of it. When change returns
// an error or nil, nothing happens. Control plane only; change must not block.
func (s *Store) Update(change func(*Snapshot) (*Snapshot, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := change(s.current.Load())
	if err == nil && next != nil {
		s.current.Store(next)
	}
	return err
}
