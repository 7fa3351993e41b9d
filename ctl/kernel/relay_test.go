package kernel

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRelayCounts: each message that a router sends is counted once, by what became
// of it. Here the router is ourselves.
func TestRelayCounts(t *testing.T) {
	needNamespace(t)
	newHost(t, "clients", "10.1.0.10/24", "2001:db8::10/64")
	require.NoError(t, addAddr("clients", "10.1.0.1/24"))
	require.NoError(t, addAddr("clients", "2001:db8::1/64"))

	for name, p := range kinds {
		t.Run(name, func(t *testing.T) {
			far, other, narrow := p, p, p
			far.client = netip.MustParseAddr("192.0.2.1")
			if p.client.Is6() {
				far.client = netip.MustParseAddr("2001:db8:1::1")
			}
			other.backend, narrow.mtu = p.local, 60
			r := relayOf(t, p.isOurs, 2)
			r.hears(p.message(t, 500), "passed")
			r.hears(other.message(t, 500), "not-ours")
			r.hears(narrow.message(t, 500), "nothing-to-tell")
			r.hears(p.message(t, 8+20), "nothing-to-tell", "not-ours") // of IPv6, not even the outer header
			r.hears(far.message(t, 500), "send-failed")

			full := relayOf(t, p.isOurs, 0)
			full.hears(p.message(t, 500), "limit")
		})
	}
}

// heardRelay is a relay, and who speaks to it.
type heardRelay struct {
	*relay
	t *testing.T
}

func relayOf(t *testing.T, ours Tunnels, limit int) *heardRelay {
	r, err := openRelay(ours, limit, quiet)
	require.NoError(t, err)
	r.start()
	t.Cleanup(func() { require.NoError(t, r.close()) })
	return &heardRelay{r, t}
}

// hears sends a message to ourselves, which has to be counted, once, as one of these.
func (r *heardRelay) hears(icmp []byte, as ...string) {
	r.t.Helper()
	network, to := "ip6:ipv6-icmp", net.IPv6loopback
	if icmp[0] == unreachable4 {
		network, to = "ip4:icmp", net.IPv4(127, 0, 0, 1)
	}
	before := r.counters()
	conn, err := net.DialIP(network, nil, &net.IPAddr{IP: to})
	require.NoError(r.t, err)
	defer conn.Close()
	_, err = conn.Write(icmp)
	require.NoError(r.t, err)
	require.Eventually(r.t, func() bool { return total(r.counters()) > total(before) }, 5*time.Second, time.Millisecond)
	now, grown := r.counters(), uint64(0)
	for _, name := range as {
		grown += now[name] - before[name]
	}
	require.EqualValues(r.t, 1, grown, "%v, not %v: %v", as, before, now)
	require.EqualValues(r.t, 1, total(now)-total(before))
}

func total(counts map[string]uint64) (sum uint64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}
