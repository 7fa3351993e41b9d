package build

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/service"
)

const web = "tcp:10.0.0.1:80"

func TestPutServiceBuildsSnapshot(t *testing.T) {
	l := newLab(t, Limits{})
	assert.EqualValues(t, 1, l.put(svc("fullnat "+web+" 10.1.0.1:8080 10.1.0.2:8080*5 from 10.2.0.1 from 10.2.0.2")))
	s, at := l.lookup(web)
	assert.Equal(t, []string{"10.1.0.2:8080", "10.1.0.1:8080"}, at, "newest first")
	assert.Equal(t, service.ModeFullNAT, s.Mode)
	assert.Equal(t, "wrr", s.Sched)
	assert.Equal(t, addrs("10.2.0.1", "10.2.0.2"), s.Locals)
	assert.NotNil(t, s.Plan)
	newest := l.store.Load().Backends.At(uint32(s.Backends[0]))
	assert.Equal(t, service.Backend{ID: s.Backends[0], Service: s.ID, Addr: netip.MustParseAddr("10.1.0.2"), Port: 8080, Weight: 5, Present: true}, *newest)
	assert.Equal(t, addrs("10.0.0.1", "10.2.0.1", "10.2.0.2"), l.Addresses())
	assert.Equal(t, addrs("10.1.0.1", "10.1.0.2"), l.Backends())
	assert.Equal(t, service.RoleLocal, l.store.Load().Role(netip.MustParseAddr("10.2.0.2")))
	one, five := uint32(1), uint32(5)
	assert.Equal(t, api.ServiceList{Revision: 1, Services: []api.Service{{
		Protocol: "tcp", Address: "10.0.0.1", Port: 80, Mode: "fullnat", Scheduler: "wrr", LocalAddresses: []string{"10.2.0.1", "10.2.0.2"},
		Backends: []api.Backend{{Address: "10.1.0.1", Port: 8080, Weight: &one}, {Address: "10.1.0.2", Port: 8080, Weight: &five}},
	}}}, l.Services())
}

// What is there already changes nothing, not even the revision.
func TestIdempotent(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web + " 10.1.0.1 10.1.0.2"))
	before := l.store.Load()
	l.put(svc("dr " + web + " 10.1.0.1 10.1.0.2:80*1"))
	l.put(svc("dr " + web + " 10.1.0.2 10.1.0.1")) // order is history, not configuration
	keep := svc("dr " + web)
	keep.Backends = nil
	l.put(keep)
	_, err := l.PutBackend(mustKey(web), backend("10.1.0.1"), nil)
	assert.NoError(t, err)
	revision, err := l.ReplaceAll(l.Services().Services, nil)
	assert.NoError(t, err)
	assert.Equal(t, before.Revision, revision)
	assert.Same(t, before, l.store.Load())
}

func TestBackendsComeAndGo(t *testing.T) {
	l := newLab(t, Limits{})
	key := mustKey(web)
	l.put(svc("dr " + web))
	s, _ := l.lookup(web)
	assert.Nil(t, s.Plan, "nothing to choose from")
	for _, at := range []string{"10.1.0.1", "10.1.0.2", "10.1.0.3"} {
		_, err := l.PutBackend(key, backend(at), nil)
		require.NoError(t, err)
	}
	s, at := l.lookup(web)
	assert.Equal(t, []string{"10.1.0.3:80", "10.1.0.2:80", "10.1.0.1:80"}, at)
	id := l.id(s.ID, "10.1.0.2:80")

	_, err := l.DeleteBackend(key, netip.MustParseAddrPort("10.1.0.2:80"), nil)
	require.NoError(t, err)
	_, at = l.lookup(web)
	assert.Equal(t, []string{"10.1.0.3:80", "10.1.0.1:80"}, at)
	gone := l.store.Load().Backends.At(uint32(id))
	assert.False(t, gone.Present)
	assert.Equal(t, "10.1.0.2", gone.Addr.String(), "flows still look at it")
	_, err = l.DeleteBackend(key, netip.MustParseAddrPort("10.1.0.2:80"), nil)
	assert.True(t, api.IsKind(err, api.NotFound))

	_, err = l.PutBackend(key, backend("10.1.0.2*7"), nil)
	require.NoError(t, err)
	_, at = l.lookup(web)
	assert.Equal(t, []string{"10.1.0.2:80", "10.1.0.3:80", "10.1.0.1:80"}, at, "newest now")
	assert.Equal(t, id, l.id(s.ID, "10.1.0.2:80"), "the same object")
	assert.True(t, l.store.Load().Backends.At(uint32(id)).Present)

	l.put(svc("dr " + web + " 10.1.0.4 10.1.0.1 10.1.0.5"))
	_, at = l.lookup(web)
	assert.Equal(t, []string{"10.1.0.5:80", "10.1.0.4:80", "10.1.0.1:80"}, at)
}

func TestServiceComesAndGoes(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web + " 10.1.0.1"))
	first, _ := l.lookup(web)
	backend := l.id(first.ID, "10.1.0.1:80")
	revision, err := l.DeleteService(mustKey(web), nil)
	assert.NoError(t, err)
	assert.EqualValues(t, 2, revision)
	s, _ := l.lookup(web)
	assert.Nil(t, s)
	assert.Empty(t, l.Addresses())
	assert.Empty(t, l.Backends())
	assert.Empty(t, l.Services().Services)
	assert.False(t, l.store.Load().Backends.At(uint32(backend)).Present)
	_, err = l.DeleteService(mustKey(web), nil)
	assert.True(t, api.IsKind(err, api.NotFound))

	l.put(svc("dr " + web + " 10.1.0.2 10.1.0.1"))
	again, at := l.lookup(web)
	assert.Equal(t, first.ID, again.ID)
	assert.Equal(t, []string{"10.1.0.1:80", "10.1.0.2:80"}, at)
	assert.Equal(t, backend, l.id(again.ID, "10.1.0.1:80"))
}

func TestReplaceAll(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web + " 10.1.0.1"))
	l.put(svc("dr udp:10.0.0.1:53 10.1.0.1"))
	l.put(svc("dr tcp:10.0.0.3:80 10.1.0.1"))
	kept, _ := l.lookup(web)
	revision, err := l.ReplaceAll([]api.Service{svc("dr tcp:10.0.0.4:80 10.1.0.9"), svc("dr tcp:10.0.0.3:80 10.1.0.1 10.1.0.2"), svc("dr " + web + " 10.1.0.1")}, nil)
	require.NoError(t, err)
	assert.EqualValues(t, 4, revision, "one change")
	var order []string
	for _, s := range l.Services().Services {
		order = append(order, s.Address)
	}
	assert.Equal(t, []string{"10.0.0.1", "10.0.0.3", "10.0.0.4"}, order, "what was there keeps its place")
	s, _ := l.lookup(web)
	assert.Same(t, kept.Plan, s.Plan, "untouched, so its schedule goes on")
	gone, _ := l.lookup("udp:10.0.0.1:53")
	assert.Nil(t, gone)
}

// New flows follow a change of settings; ids and schedule go on.
func TestSettingsOfALiveService(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("fullnat " + web + " 10.1.0.1 10.1.0.2 from 10.2.0.1"))
	before, _ := l.lookup(web)
	keep := svc("fullnat " + web + " from 10.2.0.9")
	keep.Backends = nil
	l.put(keep)
	s, at := l.lookup(web)
	assert.Equal(t, []string{"10.1.0.2:80", "10.1.0.1:80"}, at, "kept")
	assert.Equal(t, before.ID, s.ID)
	assert.Same(t, before.Plan, s.Plan)
	assert.Equal(t, addrs("10.2.0.9"), s.Locals)
	assert.Equal(t, addrs("10.2.0.1"), s.Former, "flows go on")
	assert.Equal(t, service.RoleLocal, l.store.Load().Role(netip.MustParseAddr("10.2.0.1")))
	assert.Equal(t, service.RoleLocal, l.store.Load().Role(netip.MustParseAddr("10.2.0.9")))

	keep = svc("dr " + web)
	keep.Backends, keep.Scheduler = nil, "rr"
	l.put(keep)
	s, _ = l.lookup(web)
	assert.Equal(t, service.ModeDR, s.Mode)
	assert.Equal(t, "rr", s.Sched)
	assert.NotSame(t, before.Plan, s.Plan)
	assert.Empty(t, s.Locals)
	assert.Equal(t, "rr", l.Services().Services[0].Scheduler)
}

// One cursor lives through the changes as IPVS's does.
func TestScheduleThroughChanges(t *testing.T) {
	l := newLab(t, Limits{})
	var cursor service.Cursor
	three := svc("dr " + web + " 10.1.0.1 10.1.0.2*2 10.1.0.3*3")
	l.put(three)
	assert.Equal(t, []string{"10.1.0.3", "10.1.0.2", "10.1.0.1", "10.1.0.3", "10.1.0.3", "10.1.0.2"}, picks(t, l, web, &cursor, 6))
	three.Scheduler = "rr"
	l.put(three)
	assert.Equal(t, []string{"10.1.0.3", "10.1.0.2"}, picks(t, l, web, &cursor, 2))
	_, err := l.DeleteBackend(mustKey(web), netip.MustParseAddrPort("10.1.0.2:80"), nil)
	require.NoError(t, err)
	_, err = l.PutBackend(mustKey(web), backend("10.1.0.2"), nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"10.1.0.1", "10.1.0.2", "10.1.0.3"}, picks(t, l, web, &cursor, 3))
}

func TestApply(t *testing.T) {
	l := newLab(t, Limits{})
	for i, edit := range []api.Edit{
		api.PutService{Service: svc("dr " + web)},
		api.PutBackend{Service: mustKey(web), Backend: backend("10.1.0.1")},
		api.DeleteBackend{Service: mustKey(web), Backend: netip.MustParseAddrPort("10.1.0.1:80")},
		api.DeleteService{Service: mustKey(web)},
		api.ReplaceServices{Services: []api.Service{svc("dr " + web)}},
	} {
		want, err := api.Change{Edit: edit}.Apply(l.Services())
		require.NoError(t, err)
		revision, err := l.Apply(api.Change{If: new(uint64(i)), Edit: edit})
		require.NoError(t, err, "%s", edit)
		assert.EqualValues(t, i+1, revision)
		assert.Equal(t, want, l.Services(), "%s", edit)
		_, err = l.Apply(api.Change{If: new(uint64(i)), Edit: edit})
		assert.True(t, api.IsKind(err, api.Stale), "%s", edit)
	}
	_, err := l.Apply(api.Change{})
	assert.True(t, api.IsKind(err, api.Internal))
}
