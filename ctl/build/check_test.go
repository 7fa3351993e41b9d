package build

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Every refusal names the field and what stood there, says why and what to do,
// and leaves everything as it was.
func TestRefusals(t *testing.T) {
	heavy := backend("10.1.0.1*65536")
	for _, c := range []struct {
		name  string
		spec  string
		alter func(*api.Service)
		field string
		value string
		why   string
	}{
		{"protocol", "dr " + web, func(s *api.Service) { s.Protocol = "sctp" }, "protocol", "sctp", "unknown protocol"},
		{"no address", "dr " + web, func(s *api.Service) { s.Address = "vip" }, "address", "vip", "not an IP address"},
		{"unspecified", "dr " + web, func(s *api.Service) { s.Address = "0.0.0.0" }, "address", "0.0.0.0", "not the address of one host"},
		{"multicast", "dr " + web, func(s *api.Service) { s.Address = "224.0.0.5" }, "address", "224.0.0.5", "not the address of one host"},
		{"loopback", "dr tcp:127.0.0.1:80", nil, "address", "127.0.0.1", "do not appear on a wire"},
		{"link-local", "dr tcp:[fe80::1]:80", nil, "address", "fe80::1", "another host on every link"},
		{"IPv4 backend of IPv6", "nat tcp:[2001:db8::1]:80 10.1.0.1", nil, "backends[0].address", "10.1.0.1", "family"},
		{"port 0", "dr " + web, func(s *api.Service) { s.Port = 0 }, "port", "0", "not a port"},
		{"no mode", "dr " + web, func(s *api.Service) { s.Mode = "" }, "mode", "", "missing"},
		{"unknown mode", "masq " + web, nil, "mode", "masq", "unknown mode"},
		{"scheduler", "dr " + web, func(s *api.Service) { s.Scheduler = "wlc" }, "scheduler", "wlc", "unknown scheduler"},
		{"fullnat without locals", "fullnat " + web, nil, "local_addresses", "", "needs addresses of the gateway's own"},
		{"locals in nat", "nat " + web + " from 10.2.0.1", nil, "local_addresses", "10.2.0.1", "has no local addresses"},
		{"tun without locals", "tun " + web + " 10.1.0.1", nil, "backends[0].address", "10.1.0.1", "needs a local address of the backend's family, IPv4"},
		{"tun without a local of the family", "tun " + web + " 10.1.0.1 2001:db8::11 2001:db8::12 from 10.2.0.1", nil,
			"backends[1].address", "2001:db8::11", "needs a local address of the backend's family, IPv6"},
		{"other port in tun", "tun " + web + " 10.1.0.1:8080 from 10.2.0.1", nil, "backends[0].port", "8080", "does not change ports"},
		{"backend is tun's local", "tun " + web + " 10.2.0.1 from 10.2.0.1", nil, "backends[0].address", "10.2.0.1", "local addresses"},
		{"locals in dr", "dr " + web + " from 10.2.0.1", nil, "local_addresses", "10.2.0.1", "has no local addresses"},
		{"local of another family", "fullnat " + web + " from 2001:db8::2", nil, "local_addresses[0]", "2001:db8::2", "family"},
		{"local twice", "fullnat " + web + " from 10.2.0.1 from 10.2.0.1", nil, "local_addresses[1]", "10.2.0.1", "twice"},
		{"local loopback", "fullnat " + web + " from 10.2.0.1 from 127.0.0.2", nil, "local_addresses[1]", "127.0.0.2", "do not appear on a wire"},
		{"backend of another family", "dr " + web + " [2001:db8::11]:80", nil, "backends[0].address", "2001:db8::11", "family"},
		{"backend is the VIP", "dr " + web + " 10.1.0.1 10.0.0.1", nil, "backends[1].address", "10.0.0.1", "own virtual address"},
		{"backend is a local", "fullnat " + web + " 10.2.0.1 from 10.2.0.1", nil, "backends[0].address", "10.2.0.1", "local addresses"},
		{"backend loopback", "dr " + web + " 127.0.0.1", nil, "backends[0].address", "127.0.0.1", "do not appear on a wire"},
		{"other port in dr", "dr " + web + " 10.1.0.1:8080", nil, "backends[0].port", "8080", "does not change ports"},
		{"backend twice", "dr " + web + " 10.1.0.1 10.1.0.1:80*3", nil, "backends[1]", "10.1.0.1:80", "twice"},
		{"weight", "dr " + web, func(s *api.Service) { s.Backends = []api.Backend{heavy} }, "backends[0].weight", "65536", "too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, Limits{})
			l.put(svc("dr tcp:10.0.0.9:80 10.1.0.9"))
			before := l.store.Load()
			s := svc(c.spec)
			if c.alter != nil {
				c.alter(&s)
			}
			_, err := l.PutService(s, nil)
			expectError(t, err, api.Invalid, c.field, c.value, c.why)
			_, err = l.ReplaceAll([]api.Service{svc("dr tcp:10.0.0.8:80"), s}, nil)
			expectError(t, err, api.Invalid, "services[1]."+c.field, c.value, c.why)
			assert.Same(t, before, l.store.Load())
		})
	}
}

func expectError(t *testing.T, err error, kind api.Kind, field, value, why string) {
	t.Helper()
	var e *api.Error
	require.True(t, errors.As(err, &e), "%v", err)
	assert.Equal(t, kind, e.Kind)
	assert.Equal(t, field, e.Field)
	assert.Equal(t, value, e.Value)
	assert.Contains(t, e.Why, why)
	assert.NotEmpty(t, e.Remedy)
}

func TestRefusalsListAlternatives(t *testing.T) {
	l := newLab(t, Limits{})
	s := svc("fullnat " + web)
	s.Scheduler = "wlc"
	_, err := l.PutService(s, nil)
	assert.EqualError(t, err, "scheduler: wlc: unknown scheduler: use rr or wrr\n"+
		"local_addresses: mode fullnat needs addresses of the gateway's own, from which backends see requests come: give at least one that the backends can reach")
}

func TestServiceTwice(t *testing.T) {
	l := newLab(t, Limits{})
	_, err := l.ReplaceAll([]api.Service{svc("dr " + web), svc("dr udp:10.0.0.1:80"), svc("dr " + web)}, nil)
	expectError(t, err, api.Invalid, "services[2]", web, "the same as services[0]")
}

func TestBackendRefusals(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("dr " + web + " 10.1.0.1"))
	before := l.store.Load()
	_, err := l.PutBackend(mustKey(web), backend("10.1.0.2:81"), nil)
	expectError(t, err, api.Invalid, "port", "81", "does not change ports")
	_, err = l.PutBackend(mustKey(web), backend("127.0.0.1"), nil)
	expectError(t, err, api.Invalid, "address", "127.0.0.1", "do not appear on a wire")
	_, err = l.PutBackend(mustKey("tcp:10.0.0.2:80"), backend("10.1.0.2"), nil)
	expectError(t, err, api.NotFound, "service", "tcp:10.0.0.2:80", "no such service")
	_, err = l.DeleteBackend(mustKey("tcp:10.0.0.2:80"), backendAt("10.1.0.2:80"), nil)
	expectError(t, err, api.NotFound, "service", "tcp:10.0.0.2:80", "no such service")
	_, err = l.DeleteBackend(mustKey(web), backendAt("10.1.0.2:80"), nil)
	expectError(t, err, api.NotFound, "backend", "10.1.0.2:80", "no such backend")
	assert.Same(t, before, l.store.Load())
}

// Kept backends have to fit the new mode too.
func TestModeThatKeptBackendsDoNotFit(t *testing.T) {
	l := newLab(t, Limits{})
	l.put(svc("fullnat " + web + " 10.1.0.1:8080 from 10.2.0.1"))
	s := svc("dr " + web)
	s.Backends = nil
	_, err := l.PutService(s, nil)
	expectError(t, err, api.Invalid, "backends[0].port", "8080", "does not change ports")
}

func TestExpectedRevision(t *testing.T) {
	l := newLab(t, Limits{})
	_, err := l.PutService(svc("dr "+web), new(uint64(0)))
	require.NoError(t, err)
	_, err = l.PutBackend(mustKey(web), backend("10.1.0.1"), new(uint64(0)))
	expectError(t, err, api.Stale, "revision", "0", "is at revision 1")
	_, err = l.PutBackend(mustKey(web), backend("10.1.0.1"), new(uint64(1)))
	assert.NoError(t, err)
}

func TestLimits(t *testing.T) {
	l := newLab(t, Limits{Services: 2, Backends: 3})
	l.put(svc("dr " + web + " 10.1.0.1 10.1.0.2"))
	l.put(svc("dr tcp:10.0.0.2:80 10.1.0.1"))
	before := l.store.Load()
	_, err := l.PutService(svc("dr tcp:10.0.0.3:80"), nil)
	expectError(t, err, api.Exhausted, "services", "1 more", "2 of at most 2")
	require.ErrorContains(t, err, "or raise limits.services and restart")
	_, err = l.PutBackend(mustKey(web), backend("10.1.0.3"), nil)
	expectError(t, err, api.Exhausted, "backends", "1 more", "3 of at most 3")
	_, err = l.ReplaceAll([]api.Service{svc("dr tcp:10.0.0.2:80 10.1.0.5 10.1.0.6")}, nil)
	expectError(t, err, api.Exhausted, "backends", "2 more", "3 of at most 3")
	assert.Same(t, before, l.store.Load())

	_, err = l.DeleteService(mustKey(web), nil)
	require.NoError(t, err)
	_, err = l.PutBackend(mustKey("tcp:10.0.0.2:80"), backend("10.1.0.3"), nil)
	expectError(t, err, api.Exhausted, "backends", "1 more", "2 of them removed")
	l.enter()
	assert.Len(t, l.Collect(), 2)
	_, err = l.PutBackend(mustKey("tcp:10.0.0.2:80"), backend("10.1.0.3"), nil)
	assert.NoError(t, err)
}
