package build

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/service"
)

// flows is a Usage set by hand, complete up to the present revision unless late.
type flows struct {
	store *service.Store
	late  bool
	on    map[service.BackendID]uint64
	freed []service.BackendID

	scan  []flowOf // what Scan finds
	inRun func()   // called within Scan
	fail  error    // what Scan returns
}

type flowOf struct {
	service service.ID
	mode    service.Mode
	local   string
}

func (f *flows) Scan(_ context.Context, visit func(service.ID, service.Mode, netip.Addr)) error {
	for _, one := range f.scan {
		local, _ := netip.ParseAddr(one.local)
		visit(one.service, one.mode, local)
	}
	if f.inRun != nil {
		f.inRun()
	}
	return f.fail
}

func (f *flows) Freed(id service.BackendID) { f.freed = append(f.freed, id) }

func (f *flows) Flows(id service.BackendID) uint64 { return f.on[id] }

func (f *flows) Revision() uint64 {
	if f.late {
		return 0
	}
	return f.store.Load().Revision
}

// lab is a builder with two workers.
type lab struct {
	*Builder
	t     require.TestingT
	store *service.Store
	flows *flows
}

const workers = 2

func newLab(t require.TestingT, limits Limits) *lab {
	store := service.NewStore(workers, nil)
	f := &flows{store: store, on: map[service.BackendID]uint64{}}
	return &lab{Builder: New(store, limits, f), t: t, store: store, flows: f}
}

// enter lets every worker begin a burst.
func (l *lab) enter() {
	for w := range workers {
		l.store.Enter(w)
	}
}

// revision is that of the present snapshot.
func (l *lab) revision() uint64 { return l.store.Load().Revision }

func (l *lab) put(s api.Service) uint64 {
	revision, err := l.PutService(s, nil)
	require.NoError(l.t, err)
	return revision
}

// lookup is the service on the wire and its backends' endpoints, newest first.
func (l *lab) lookup(key string) (*service.Service, []string) {
	k, err := api.ParseKey(key)
	require.NoError(l.t, err)
	snap := l.store.Load()
	svc := snap.Lookup(wireKey(k))
	if svc == nil {
		return nil, nil
	}
	var at []string
	for _, id := range svc.Backends {
		b := snap.Backends.At(uint32(id))
		at = append(at, netip.AddrPortFrom(b.Addr, b.Port).String())
	}
	return svc, at
}

// id is that of a backend of a service, removed or not.
func (l *lab) id(svc service.ID, at string) service.BackendID {
	return l.backends.get(endpoint{svc, netip.MustParseAddrPort(at)})
}

// svc reads "dr tcp:10.0.0.1:80 10.1.0.1 10.1.0.2:80*3": mode, key, backends
// with port and weight where they are not the defaults, "from" a local address.
func svc(text string) api.Service {
	words := strings.Fields(text)
	key := mustKey(words[1])
	s := api.Service{Mode: words[0], Protocol: key.Protocol, Address: key.Address.String(), Port: key.Port, Backends: []api.Backend{}}
	for i := 2; i < len(words); i++ {
		if words[i] == "from" {
			i++
			s.LocalAddresses = append(s.LocalAddresses, words[i])
			continue
		}
		s.Backends = append(s.Backends, backend(words[i]))
	}
	return s
}

func backend(text string) (b api.Backend) {
	at, weight, weighted := strings.Cut(text, "*")
	ep, err := api.ParseEndpoint(at, 1)
	if err != nil {
		panic(err)
	}
	b.Address = ep.Addr().String()
	if ep.Port() != 1 { // nobody's in these tests
		b.Port = ep.Port()
	}
	if weighted {
		n := uint32(0)
		for _, c := range weight {
			n = 10*n + uint32(c-'0')
		}
		b.Weight = &n
	}
	return b
}

func mustKey(text string) api.Key {
	key, err := api.ParseKey(text)
	if err != nil {
		panic(err)
	}
	return key
}

func addrs(texts ...string) []netip.Addr {
	var out []netip.Addr
	for _, t := range texts {
		out = append(out, netip.MustParseAddr(t))
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// picks chooses n times with a cursor.
func picks(t *testing.T, l *lab, key string, cursor *service.Cursor, n int) []string {
	t.Helper()
	s, _ := l.lookup(key)
	require.NotNil(t, s)
	var got []string
	for range n {
		b := l.store.Load().Backends.At(uint32(s.Plan.Pick(cursor, nil, service.FlowKey{})))
		got = append(got, b.Addr.String())
	}
	return got
}
