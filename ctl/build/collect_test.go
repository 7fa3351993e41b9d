package build

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/service"
)

func backendAt(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

// An id is free only when no worker can still use the old plan, the numbers are
// complete, and no flow is left.
func TestCollectWaits(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web + " 10.1.0.1 10.1.0.2"))
	l.enter()
	s, _ := l.lookup(web)
	id := l.id(s.ID, "10.1.0.1:80")
	l.flows.on[id] = 1
	revision, err := l.DeleteBackend(mustKey(web), backendAt("10.1.0.1:80"), nil)
	require.NoError(t, err)

	l.flows.on[id] = 0
	assert.Empty(t, l.Collect(), "no worker has seen the removal")
	l.store.Enter(0)
	assert.Empty(t, l.Collect(), "one worker has not seen the removal")
	l.enter()
	l.flows.late = true
	assert.Empty(t, l.Collect(), "numbers from before the removal")
	l.flows.late = false
	l.flows.on[id] = 1
	assert.Empty(t, l.Collect(), "a flow is left")
	assert.Equal(t, id, l.id(s.ID, "10.1.0.1:80"))
	l.flows.on[id] = 0
	assert.Empty(t, l.flows.freed)
	assert.Equal(t, []service.BackendID{id}, l.Collect())
	assert.Equal(t, []service.BackendID{id}, l.flows.freed)
	assert.Empty(t, l.Collect())
	assert.Equal(t, revision, l.revision(), "no change of configuration")
	assert.Equal(t, service.Backend{}, *l.store.Load().Backends.At(uint32(id)))

	_, err = l.PutBackend(mustKey(web), backend("10.1.0.7"), nil)
	require.NoError(t, err)
	assert.Equal(t, id, l.id(s.ID, "10.1.0.7:80"), "given out again")
}

func TestCollectLeavesWhatReturned(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web + " 10.1.0.1"))
	_, err := l.DeleteService(mustKey(web), nil)
	require.NoError(t, err)
	l.put(svc("dr " + web + " 10.1.0.1"))
	l.enter()
	assert.Empty(t, l.Collect())
	s, at := l.lookup(web)
	assert.NotNil(t, s)
	assert.Equal(t, []string{"10.1.0.1:80"}, at)
}

// A service keeps its id until the last of its backends is forgotten.
func TestCollectServices(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web + " 10.1.0.1"))
	s, _ := l.lookup(web)
	id := l.id(s.ID, "10.1.0.1:80")
	l.flows.on[id] = 3
	_, err := l.DeleteService(mustKey(web), nil)
	require.NoError(t, err)
	l.enter()
	assert.Empty(t, l.Collect())
	assert.Equal(t, web, l.keyOf(s.ID), "flows still look at it")
	l.put(svc("dr tcp:10.0.0.2:80"))
	other, _ := l.lookup("tcp:10.0.0.2:80")
	assert.NotEqual(t, s.ID, other.ID)

	delete(l.flows.on, id)
	l.enter()
	assert.Equal(t, []service.BackendID{id}, l.Collect())
	assert.Equal(t, service.Service{}, *l.store.Load().Services.At(uint32(s.ID)))
	l.put(svc("dr tcp:10.0.0.3:80"))
	third, _ := l.lookup("tcp:10.0.0.3:80")
	assert.Equal(t, s.ID, third.ID)
	assert.Empty(t, third.Backends)
}

func (l *lab) keyOf(id service.ID) string {
	key := l.store.Load().Services.At(uint32(id)).Key
	return "tcp:" + netip.AddrPortFrom(key.Addr, key.Port).String()
}
