package world

import (
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/sched"
	"github.com/sluice-lb/sluice/service"
)

// Service is a virtual service in a test's words.
type Service struct {
	Proto    uint8
	VIP      string
	Port     uint16
	Mode     service.Mode
	Sched    string    // "": rr
	Locals   []string  // fullnat
	Backends []Backend // in the order they were added: oldest first
}

// Backend is a real server in a test's words. For dr it has the service's port.
type Backend struct {
	Addr   string
	Port   uint16
	Weight uint32 // 0: 1; to have none, set Idle
	Idle   bool   // weight 0
	Local  string // tun: source of the outer header
}

// World is a store and the ids in use, as the control plane keeps them.
type World struct {
	Store *service.Store
	Hops  *service.NextHops

	network    Network
	epoch      uint32
	generation uint64
	services   map[service.Key]service.ID
	backends   map[backendKey]service.BackendID
	plans      map[service.ID]service.Picker
}

type backendKey struct {
	service service.ID
	addr    netip.Addr
	port    uint16
}

// New makes a world of the network above without services.
func New(workers int) *World {
	w := &World{
		Hops: newHops(), network: network(), epoch: 1,
		services: map[service.Key]service.ID{}, backends: map[backendKey]service.BackendID{},
		plans: map[service.ID]service.Picker{},
	}
	w.Store = service.NewStore(workers, w.Hops)
	w.Rewire(func(*Network) {})
	return w
}

// Configure replaces all services. What is missing is kept as removed; what
// comes back is the same object.
func (w *World) Configure(services ...Service) {
	w.update(func(s *service.Snapshot) *service.Snapshot {
		list, backends := absent(s.Services, s.Backends)
		for _, svc := range services {
			list, backends = w.add(list, backends, svc)
		}
		return s.WithServices(list, backends)
	})
}

// absent marks everything removed.
func absent(services service.Vec[service.Service], backends service.Vec[service.Backend]) (service.Vec[service.Service], service.Vec[service.Backend]) {
	for i := range uint32(services.Len()) {
		svc := *services.At(i)
		svc.Present = false
		services = services.Set(i, svc)
	}
	for i := range uint32(backends.Len()) {
		b := *backends.At(i)
		b.Present = false
		backends = backends.Set(i, b)
	}
	return services, backends
}

func (w *World) add(list service.Vec[service.Service], backends service.Vec[service.Backend], in Service) (service.Vec[service.Service], service.Vec[service.Backend]) {
	svc := service.Service{Key: service.Key{Proto: in.Proto, Addr: netip.MustParseAddr(in.VIP), Port: in.Port}, Mode: in.Mode, Present: true}
	svc.ID = idOf(w.services, svc.Key)
	for _, local := range in.Locals {
		svc.Locals = append(svc.Locals, netip.MustParseAddr(local))
	}
	var plan []sched.Backend
	for i := len(in.Backends) - 1; i >= 0; i-- { // newest first
		b := w.backend(&svc, in.Backends[i])
		if old := backends.At(uint32(b.ID)); old != nil && b.Outer == (packet.Outer{}) {
			b.Outer = old.Outer // flows from when the mode was tun go on
		}
		backends = backends.Set(uint32(b.ID), b)
		svc.Backends = append(svc.Backends, b.ID)
		plan = append(plan, sched.Backend{ID: b.ID, Weight: b.Weight})
	}
	svc.Sched, svc.Plan = w.plan(svc.ID, in.Sched, plan)
	return list.Set(uint32(svc.ID), svc), backends
}

func (w *World) backend(svc *service.Service, in Backend) service.Backend {
	b := service.Backend{Service: svc.ID, Addr: netip.MustParseAddr(in.Addr), Port: in.Port, Weight: in.Weight, Present: true}
	if in.Local != "" {
		b.TunnelFrom(netip.MustParseAddr(in.Local))
	}
	if b.Port == 0 {
		b.Port = svc.Key.Port
	}
	if b.Weight == 0 && !in.Idle {
		b.Weight = 1
	}
	b.ID = idOf(w.backends, backendKey{svc.ID, b.Addr, b.Port})
	return b
}

// plan follows the service's last plan. Without backends there is none.
func (w *World) plan(id service.ID, name string, backends []sched.Backend) (string, service.Picker) {
	if name == "" {
		name = "rr"
	}
	if len(backends) == 0 {
		return name, nil
	}
	w.generation++
	plan, err := sched.Rebuild(w.plans[id], name, backends, w.generation)
	if err != nil {
		panic(err)
	}
	w.plans[id] = plan
	return name, plan
}

// BackendID is the id of a backend that was configured.
func (w *World) BackendID(proto uint8, vip string, port uint16, addr string, backendPort uint16) service.BackendID {
	svc := w.services[service.Key{Proto: proto, Addr: netip.MustParseAddr(vip), Port: port}]
	return w.backends[backendKey{svc, netip.MustParseAddr(addr), backendPort}]
}

// idOf is the id of a key: the one it has, or the next.
func idOf[K comparable, ID ~uint32](ids map[K]ID, key K) ID {
	if _, known := ids[key]; !known {
		ids[key] = ID(len(ids) + 1)
	}
	return ids[key]
}

func (w *World) update(change func(*service.Snapshot) *service.Snapshot) {
	err := w.Store.Update(func(s *service.Snapshot) (*service.Snapshot, error) { return change(s), nil })
	if err != nil {
		panic(err)
	}
}
