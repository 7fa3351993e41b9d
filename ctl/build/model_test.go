package build

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/service"
)

// model is the configuration as plain text: what should be there, and which
// ids were seen for what.
type model struct {
	services map[string]*modelService // by "tcp:10.0.0.1:80"
	ids      map[string]service.BackendID
	owner    map[service.BackendID]string // who had an id last
	sources  map[string]string            // source of the tunnel, as long as the id lives
}

type modelService struct {
	mode     string
	locals   []string
	backends []string // in the order added
	weights  map[string]uint32
	former   map[string]bool // fullnat local addresses of before
	wasNAT   bool
}

var (
	modelKeys   = []string{"tcp:10.0.0.1:80", "udp:10.0.0.1:80", "tcp:10.0.0.2:80", "tcp:10.0.0.2:443"}
	modelHosts  = []string{"10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4"}
	modelLocals = []string{"10.2.0.1", "10.2.0.2", "10.0.0.2"}
)

// text is the service in the notation of svc.
func (s *modelService) text(key string) string {
	words := []string{s.mode, key}
	for _, b := range s.backends {
		words = append(words, fmt.Sprintf("%s*%d", b, s.weights[b]))
	}
	for _, l := range s.locals {
		words = append(words, "from", l)
	}
	return strings.Join(words, " ")
}

// replaced is s with its backends made exactly those of next.
func (s *modelService) replaced(next *modelService) *modelService {
	out := &modelService{mode: next.mode, locals: next.locals, weights: next.weights, former: maps.Clone(s.former)}
	if out.former == nil {
		out.former = map[string]bool{}
	}
	if s.mode == "fullnat" {
		for _, a := range s.locals {
			out.former[a] = true
		}
	}
	if next.mode == "fullnat" {
		for _, a := range next.locals {
			delete(out.former, a)
		}
	}
	out.wasNAT = (s.wasNAT || s.mode == "nat") && next.mode != "nat"
	for _, b := range s.backends {
		if slices.Contains(next.backends, b) {
			out.backends = append(out.backends, b)
		}
	}
	for _, b := range next.backends {
		if !slices.Contains(out.backends, b) {
			out.backends = append(out.backends, b)
		}
	}
	return out
}

func drawService(t *rapid.T) *modelService {
	s := &modelService{mode: rapid.SampledFrom([]string{"dr", "nat", "fullnat", "tun"}).Draw(t, "mode"), weights: map[string]uint32{}}
	if s.mode == "fullnat" || s.mode == "tun" {
		s.locals = rapid.SliceOfNDistinct(rapid.SampledFrom(modelLocals), 1, 2, rapid.ID).Draw(t, "locals")
	}
	hosts := rapid.SliceOfNDistinct(rapid.SampledFrom(modelHosts), 0, 4, rapid.ID).Draw(t, "backends")
	for _, h := range hosts {
		s.backends = append(s.backends, h)
		s.weights[h] = rapid.Uint32Range(0, 3).Draw(t, "weight")
	}
	return s
}

// step changes builder and model alike.
func (m *model) step(t *rapid.T, l *lab) {
	key := rapid.SampledFrom(modelKeys).Draw(t, "key")
	now, host := m.services[key], rapid.SampledFrom(modelHosts).Draw(t, "host")
	var err error
	missing := now == nil
	switch op := rapid.SampledFrom([]string{"put", "delete", "put backend", "delete backend", "replace", "flows", "collect", "retire"}).Draw(t, "op"); op {
	case "put":
		next := drawService(t)
		l.put(svc(next.text(key)))
		if now != nil {
			next = now.replaced(next)
		}
		m.services[key], missing = next, false
	case "delete":
		_, err = l.DeleteService(mustKey(key), nil)
		delete(m.services, key)
	case "put backend":
		weight := rapid.Uint32Range(0, 3).Draw(t, "weight")
		_, err = l.PutBackend(mustKey(key), api.Backend{Address: host, Weight: &weight}, nil)
		if now != nil {
			if !slices.Contains(now.backends, host) {
				now.backends = append(now.backends, host)
			}
			now.weights[host] = weight
		}
	case "delete backend":
		_, err = l.DeleteBackend(mustKey(key), netip.AddrPortFrom(netip.MustParseAddr(host), mustKey(key).Port), nil)
		missing = missing || !slices.Contains(now.backends, host)
		if now != nil {
			now.backends = slices.DeleteFunc(now.backends, func(b string) bool { return b == host })
		}
	case "replace":
		missing = false
		err = m.replaceAll(t, l)
	case "flows":
		missing = false
		if id := m.ids[key+" "+host]; id != 0 && m.owner[id] == key+" "+host {
			l.flows.on[id] = rapid.Uint64Range(0, 1).Draw(t, "flows")
		}
	case "retire":
		missing = false
		m.retire(t, l, now, key)
	case "collect":
		missing = false
		if rapid.Bool().Draw(t, "entered") {
			l.enter()
		}
		for _, id := range l.Collect() {
			require.Zero(t, l.flows.on[id], "id %d collected with a flow on it", id)
			delete(m.ids, m.owner[id])
			delete(m.sources, m.owner[id])
			delete(m.owner, id)
		}
	}
	require.Equal(t, missing, api.IsKind(err, api.NotFound), "%v", err)
}

// retire lets some flows of one service go on, and none of the others.
func (m *model) retire(t *rapid.T, l *lab, now *modelService, key string) {
	l.flows.scan = nil
	keeps := map[string]bool{}
	if now != nil {
		s, _ := l.lookup(key)
		for _, a := range rapid.SliceOfDistinct(rapid.SampledFrom(modelLocals), rapid.ID).Draw(t, "used") {
			keeps[a] = true
			l.flows.scan = append(l.flows.scan, flowOf{s.ID, service.ModeFullNAT, a})
		}
		if rapid.Bool().Draw(t, "nat flows") {
			keeps["nat"] = true
			l.flows.scan = append(l.flows.scan, flowOf{service: s.ID, mode: service.ModeNAT})
		}
	}
	l.enter()
	before := l.revision()
	_, err := l.Retire(context.Background())
	require.NoError(t, err)
	require.Equal(t, before, l.revision(), "no change of configuration")
	for _, s := range m.services {
		maps.DeleteFunc(s.former, func(a string, _ bool) bool { return s != now || !keeps[a] })
		s.wasNAT = s.wasNAT && s == now && keeps["nat"]
	}
}

func (m *model) replaceAll(t *rapid.T, l *lab) error {
	next, all := map[string]*modelService{}, []api.Service{}
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(modelKeys), 0, 4, rapid.ID).Draw(t, "keys") {
		s := drawService(t)
		all = append(all, svc(s.text(key)))
		if now := m.services[key]; now != nil {
			s = now.replaced(s)
		}
		next[key] = s
	}
	m.services = next
	_, err := l.ReplaceAll(all, nil)
	return err
}

// check compares everything that the snapshot says with the model.
func (m *model) check(t *rapid.T, l *lab) {
	snap := l.store.Load()
	roles, ours, hasNAT := map[string]service.Role{}, map[string]bool{}, false
	for _, key := range modelKeys {
		want := m.services[key]
		got, at := l.lookup(key)
		require.Equal(t, want == nil, got == nil, key)
		if want == nil {
			continue
		}
		vip := mustKey(key).Address.String()
		ours[vip], roles[vip] = true, roles[vip]|service.RoleVIP
		hasNAT = hasNAT || want.mode == "nat" || want.wasNAT
		for local := range want.former {
			ours[local], roles[local] = true, roles[local]|service.RoleLocal
		}
		for _, local := range want.locals {
			ours[local] = true
			if want.mode == "fullnat" {
				roles[local] |= service.RoleLocal
			}
		}
		require.Equal(t, want.mode, got.Mode.String())
		require.Equal(t, len(want.backends), len(at))
		for i, host := range slices.Backward(want.backends) {
			m.checkBackend(t, l, key, host, got, len(at)-1-i, want.weights[host])
		}
		require.Equal(t, len(want.backends) == 0, got.Plan == nil)
	}
	for _, a := range slices.Concat(modelLocals, []string{"10.0.0.1", "10.1.0.1"}) {
		require.Equal(t, roles[a], snap.Role(netip.MustParseAddr(a)), a)
	}
	require.Equal(t, addrs(slices.Collect(maps.Keys(ours))...), l.Addresses())
	for i := range uint32(snap.Services.Len()) {
		if svc := snap.Services.At(i); !svc.Present { // removed: until flows have forgotten it
			hasNAT = hasNAT || svc.Mode == service.ModeNAT || svc.WasNAT
		}
	}
	require.Equal(t, hasNAT, snap.HasNAT)
	require.Len(t, l.Services().Services, len(m.services))
	backends := 0
	for _, s := range m.services {
		backends += len(s.backends)
	}
	services, present := l.Counts()
	require.Equal(t, [2]int{len(m.services), backends}, [2]int{services, present})
}

func (m *model) checkBackend(t *rapid.T, l *lab, key, host string, s *service.Service, place int, weight uint32) {
	id := s.Backends[place]
	b := l.store.Load().Backends.At(uint32(id))
	name := key + " " + host
	if s.Mode == service.ModeTun {
		m.sources[name] = s.Locals[0].String()
	}
	want := service.Backend{ID: id, Service: s.ID, Addr: netip.MustParseAddr(host), Port: mustKey(key).Port, Weight: weight, Present: true}
	if source, ok := m.sources[name]; ok {
		want.TunnelFrom(netip.MustParseAddr(source))
	}
	require.Equal(t, want, *b)
	if before, known := m.ids[name]; known {
		require.Equal(t, before, id, "%s changed its id", name)
	}
	if owner, taken := m.owner[id]; taken {
		require.Equal(t, name, owner, "id %d is still remembered for another", id)
	}
	m.ids[name], m.owner[id] = id, name
}

// Random changes: the snapshot always answers like the model, ids stay with
// whom they were given to, and none moves on while flows remember it.
func TestLikeModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLab(t, Limits{Services: len(modelKeys), Backends: len(modelKeys) * len(modelHosts)})
		m := &model{services: map[string]*modelService{}, ids: map[string]service.BackendID{}, owner: map[service.BackendID]string{},
			sources: map[string]string{}}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			m.step(t, l)
			m.check(t, l)
		}
	})
}
