package kernel

import (
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/sluice-lb/sluice/packet"
)

// flagsOf is what the kernel does for a neighbour on the first twin.
func flagsOf(t *testing.T, p *testPath, addr string) (flags, extended int, found bool) {
	t.Helper()
	ip := netip.MustParseAddr(addr)
	list, err := netlink.NeighList(p.twins[0].index, familyOf(ip))
	require.NoError(t, err)
	for _, n := range list {
		if n.IP.String() == addr {
			return n.Flags, n.FlagsExt, true
		}
	}
	return 0, 0, false
}

func TestBackendsAreKeptResolved(t *testing.T) {
	needNamespace(t)
	h := newHost(t, "lan0", "10.1.0.2/24", "fd01::2/64")
	mac := net.HardwareAddr(func() []byte { m := h.mac(); return m[:] }()).String()
	p := startPath(t, Config{}, portTo(t, "lan0", "10.1.0.1/24", "fd01::1/64"))
	forward(t, p, 0, "lan0")
	managed := func(addr string) bool {
		_, extended, _ := flagsOf(t, p, addr)
		return extended&netlink.NTF_EXT_MANAGED != 0
	}
	p.SetBackends(addrs("10.1.0.2", "fd01::2", "203.0.113.1"))
	for _, host := range []string{"10.1.0.2", "fd01::2"} {
		eventually(t, func() bool { return p.leads(host, mac) && managed(host) }, "%s resolved through the port", host)
		require.NoError(t, netlink.NeighDel(&netlink.Neigh{LinkIndex: p.twins[0].index, IP: net.ParseIP(host)}))
		eventually(t, func() bool { return p.leads(host, mac) && managed(host) }, "%s resolved again", host)
	}
	// A worker's request does not end it.
	p.Resolve(netip.MustParseAddr("10.1.0.2"))
	p.Resolve(netip.MustParseAddr("10.1.0.3"))
	eventually(t, func() bool { _, _, found := flagsOf(t, p, "10.1.0.3"); return found }, "second request handled")
	require.True(t, managed("10.1.0.2"))
	require.False(t, managed("10.1.0.3"))

	// A gateway is kept resolved while a route needs it, and a flap changes nothing.
	require.NoError(t, netlink.RouteAdd(route(p, 0, "203.0.113.0/24", "10.1.0.4")))
	eventually(t, func() bool { return managed("10.1.0.4") }, "gateway kept resolved")
	require.NoError(t, p.LinkChanged(0, false))
	eventually(t, func() bool { return !p.leads("10.1.0.2", mac) }, "link down")
	require.NoError(t, p.LinkChanged(0, true))
	eventually(t, func() bool { return p.leads("10.1.0.2", mac) && managed("10.1.0.2") }, "resolved after flap")

	p.SetBackends(nil)
	eventually(t, func() bool { return !managed("10.1.0.2") && !managed("fd01::2") }, "no longer managed")
}

func TestResolveAsksTheNetwork(t *testing.T) {
	needNamespace(t)
	h := newHost(t, "lan0", "10.1.0.2/24")
	mac := net.HardwareAddr(func() []byte { m := h.mac(); return m[:] }()).String()
	p := startPath(t, Config{}, portTo(t, "lan0", "10.1.0.1/24"))
	forward(t, p, 0, "lan0")
	require.Equal(t, packet.DropNoNeighbour, p.verdict("10.1.0.2"))
	p.Resolve(netip.MustParseAddr("10.1.0.2"))
	eventually(t, func() bool { return p.leads("10.1.0.2", mac) }, "client resolved")
	_, extended, _ := flagsOf(t, p, "10.1.0.2")
	require.Zero(t, extended&netlink.NTF_EXT_MANAGED)
}

func TestResolveIsLimited(t *testing.T) {
	var l limiter
	now, a := time.Now(), netip.MustParseAddr("10.0.0.1")
	require.True(t, l.allow(a, now))
	require.False(t, l.allow(a, now.Add(askAgain/2)), "same address again")
	require.True(t, l.allow(a, now.Add(askAgain)))
	now = now.Add(5 * askAgain)
	allowed := 0
	for i := range 3 * askMemory {
		if l.allow(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), now) {
			allowed++
		}
	}
	require.Equal(t, askRate, allowed)
	for i := range 3 * askMemory {
		l.allow(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), now.Add(time.Duration(i)*askAgain))
	}
	require.LessOrEqual(t, len(l.asked), askMemory)
}

// A backend at one of our own addresses can be reached by nobody: that is said as long
// as it is so.
func TestBackendsOfOurOwn(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	own, other, own6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("fd00::1")
	says := func(want ...netip.Addr) {
		t.Helper()
		require.Eventually(t, func() bool { return slices.Equal(want, p.OwnBackends()) }, 5*time.Second, time.Millisecond, "%v", want)
	}
	p.SetBackends([]netip.Addr{other, own6, own})
	says(own, own6)
	require.NoError(t, addAddr("sl-w0", "10.0.0.9/24"))
	says(own, other, own6)
	p.SetBackends([]netip.Addr{other})
	says(other)
	p.SetBackends(nil)
	says()
}
