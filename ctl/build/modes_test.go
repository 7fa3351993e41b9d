package build

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/service"
)

const web6 = "tcp:[2001:db8::1]:80"

// Every mode takes both families; what it keeps of them is what workers need.
func TestModesAndFamilies(t *testing.T) {
	for spec, locals := range map[string][]string{
		"dr " + web + " 10.1.0.1":                                                                  {""},
		"dr " + web6 + " 2001:db8:1::1":                                                            {""},
		"nat " + web + " 10.1.0.1:8080":                                                            {""},
		"nat " + web6 + " [2001:db8:1::1]:8080":                                                    {""},
		"fullnat " + web + " 10.1.0.1:8080 from 10.2.0.1":                                          {""},
		"fullnat " + web6 + " [2001:db8:1::1]:8080 from fd00::2":                                   {""},
		"tun " + web + " 10.1.0.1 from 10.2.0.1":                                                   {"10.2.0.1"},
		"tun " + web6 + " 2001:db8:1::1 from fd00::2 from fd00::3":                                 {"fd00::2"},
		"tun " + web + " 2001:db8:1::1 from fd00::2":                                               {"fd00::2"},
		"tun " + web6 + " 10.1.0.1 from 10.2.0.1":                                                  {"10.2.0.1"},
		"tun " + web + " 10.1.0.1 2001:db8:1::1 10.1.0.2 from fd00::2 from 10.2.0.2 from 10.2.0.1": {"10.2.0.2", "fd00::2", "10.2.0.2"},
		"tun " + web: nil,
	} {
		t.Run(spec, func(t *testing.T) {
			l := newLab(t, Limits{})
			want := svc(spec)
			l.put(want)
			key, err := want.Key()
			require.NoError(t, err)
			s := l.store.Load().Lookup(wireKey(key))
			require.Equal(t, want.Mode, s.Mode.String())
			for i, local := range locals {
				b := l.store.Load().Backends.At(uint32(s.Backends[len(locals)-1-i])) // newest first
				if local == "" {
					assert.Zero(t, b.Outer)
				} else {
					assertFrom(t, local, b)
				}
			}
			assert.Equal(t, s.Mode == service.ModeNAT, l.store.Load().HasNAT)
			for _, local := range want.LocalAddresses {
				addr := netip.MustParseAddr(local)
				assert.Contains(t, l.Addresses(), addr)
				assert.Contains(t, l.Locals(), addr)
				assert.Equal(t, s.Mode == service.ModeFullNAT, l.store.Load().Role(addr) == service.RoleLocal, "tun's stay the kernel's")
			}
			assert.Contains(t, l.Addresses(), key.Address)
			assert.NotContains(t, l.Locals(), key.Address)
			again, err := l.ReplaceAll(l.Services().Services, nil)
			require.NoError(t, err)
			assert.EqualValues(t, 1, again, "listed and put again: the same")
		})
	}
}

// A backend that comes later gets its source, too, or is refused.
func TestTunBackendComesLater(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("tun " + web + " from 10.2.0.1"))
	_, err := l.PutBackend(mustKey(web), backend("10.1.0.1"), nil)
	require.NoError(t, err)
	s, _ := l.lookup(web)
	assertFrom(t, "10.2.0.1", l.store.Load().Backends.At(uint32(s.Backends[0])))
	_, err = l.PutBackend(mustKey(web), backend("2001:db8:1::1"), nil)
	assert.EqualError(t, err, "address: 2001:db8:1::1: mode tun needs a local address of the backend's family, IPv6, as source of the outer header: "+
		"add one of the gateway's own to local_addresses: sluicectl service set tcp:10.0.0.1:80 --local ADDRESS (with those it has)")
}

// Another local address is another source, and no reason to schedule anew.
func TestTunLocalChanges(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("tun " + web + " 10.1.0.1 10.1.0.2 from 10.2.0.1"))
	before, _ := l.lookup(web)
	l.put(svc("tun " + web + " 10.1.0.1 10.1.0.2 from 10.2.0.9 from 10.2.0.1"))
	s, _ := l.lookup(web)
	assert.Same(t, before.Plan, s.Plan)
	for _, id := range s.Backends {
		assertFrom(t, "10.2.0.9", l.store.Load().Backends.At(uint32(id)))
	}
}

// Flows keep the mode that they began with: what tun and nat flows need of the
// snapshot stays when the mode changes.
func TestModeOfALiveService(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("tun " + web + " 10.1.0.1 10.1.0.2 from 10.2.0.1"))
	tun, _ := l.lookup(web)
	l.put(svc("dr " + web + " 10.1.0.1"))
	dr, _ := l.lookup(web)
	assert.Equal(t, service.ModeDR, dr.Mode)
	for _, id := range tun.Backends {
		assertFrom(t, "10.2.0.1", l.store.Load().Backends.At(uint32(id)), "present or removed")
	}
	l.put(svc("nat " + web + " 10.1.0.1"))
	assert.True(t, l.store.Load().HasNAT)
	l.put(svc("dr " + web + " 10.1.0.1 10.1.0.2"))
	assertFrom(t, "10.2.0.1", l.store.Load().Backends.At(uint32(tun.Backends[0])), "added again")
}

// assertFrom: the tunnel to a backend has that source.
func assertFrom(t *testing.T, local string, b *service.Backend, msg ...any) {
	t.Helper()
	want := *b
	want.TunnelFrom(netip.MustParseAddr(local))
	assert.Equal(t, want, *b, msg...)
}
