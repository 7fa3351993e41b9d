package build

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/service"
)

func (l *lab) retire() bool {
	changed, err := l.Retire(context.Background())
	require.NoError(l.t, err)
	return changed
}

// A fullnat local address that is taken away stays ours as long as a flow is on
// it, and not longer; the others of the service are not in its way.
func TestFormerLocalsStayForTheirFlows(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.1 from 10.2.0.2 from 10.2.0.3"))
	l.enter()
	assert.False(t, l.retire(), "nothing has changed")
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.3 from 10.2.0.4"))
	s, _ := l.lookup(web)
	assert.Equal(t, addrs("10.2.0.3", "10.2.0.4"), s.Locals, "new flows use these")
	assert.Equal(t, addrs("10.2.0.1", "10.2.0.2"), s.Former)
	assert.Equal(t, addrs("10.0.0.1", "10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.0.4"), l.Addresses())
	assert.Equal(t, []string{"10.2.0.3", "10.2.0.4"}, l.Services().Services[0].LocalAddresses)

	assert.False(t, l.retire(), "a worker may still make flows on them")
	l.enter()
	l.flows.scan = []flowOf{{s.ID, service.ModeFullNAT, "10.2.0.1"}, {s.ID, service.ModeFullNAT, "10.2.0.4"}, {s.ID + 1, service.ModeFullNAT, "10.2.0.2"}}
	before := l.revision()
	assert.True(t, l.retire())
	assert.Equal(t, before, l.revision())
	assert.Equal(t, addrs("10.2.0.1", "10.2.0.3", "10.2.0.4"), l.Locals())
	assert.Zero(t, l.store.Load().Role(netip.MustParseAddr("10.2.0.2")))
	assert.Equal(t, service.RoleLocal, l.store.Load().Role(netip.MustParseAddr("10.2.0.1")))
	assert.False(t, l.retire(), "as before")
	l.flows.scan = nil
	assert.True(t, l.retire())
	assert.Equal(t, addrs("10.2.0.3", "10.2.0.4"), l.Locals())
	l.flows.fail = errors.New("not asked")
	assert.False(t, l.retire())
}

func TestFormerLocalReturns(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.1"))
	l.put(svc("nat " + web + " 10.1.0.1"))
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.1"))
	s, _ := l.lookup(web)
	assert.Empty(t, s.Former)
	assert.True(t, s.WasNAT)
	assert.True(t, l.store.Load().HasNAT)
	l.enter()
	l.flows.scan = []flowOf{{service: s.ID, mode: service.ModeNAT}}
	assert.False(t, l.retire())
	assert.True(t, l.store.Load().HasNAT, "replies of nat flows may still come")
	l.flows.scan = nil
	assert.True(t, l.retire())
	assert.False(t, l.store.Load().HasNAT)
	assert.Equal(t, service.RoleLocal, l.store.Load().Role(netip.MustParseAddr("10.2.0.1")))
}

// A change while flows are looked through counts: what it made former was not
// looked for.
func TestFormerChangesDuringTheScan(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.1"))
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.2"))
	l.enter()
	l.flows.inRun = func() { l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.3")) }
	assert.False(t, l.retire())
	assert.Equal(t, addrs("10.2.0.1", "10.2.0.2", "10.2.0.3"), l.Locals())
	l.flows.inRun = nil
	l.enter()
	l.flows.fail = errors.New("a worker is gone")
	_, err := l.Retire(context.Background())
	assert.Equal(t, l.flows.fail, err)
	assert.Equal(t, addrs("10.2.0.1", "10.2.0.2", "10.2.0.3"), l.Locals())
	l.flows.fail = nil
	assert.True(t, l.retire())
	assert.Equal(t, addrs("10.2.0.3"), l.Locals())
}

func TestRemovedServiceKeepsNoLocals(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.1"))
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.2"))
	_, err := l.DeleteService(mustKey(web), nil)
	require.NoError(t, err)
	assert.Empty(t, l.Addresses())
	l.put(svc("fullnat " + web + " 10.1.0.1 from 10.2.0.3"))
	assert.Equal(t, addrs("10.2.0.3"), l.Locals())
	l.enter()
	assert.False(t, l.retire())
}
