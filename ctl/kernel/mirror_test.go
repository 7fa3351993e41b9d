package kernel

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

const (
	macA = "02:00:00:00:99:0a"
	macB = "02:00:00:00:99:0b"
)

// wireMAC is a destination as service.Hop has it.
func wireMAC(t *testing.T, s string) uint64 {
	t.Helper()
	hw, err := net.ParseMAC(s)
	require.NoError(t, err)
	v := uint64(0)
	for i, b := range hw {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// leads says whether packets to addr leave for mac now.
func (p *testPath) leads(addr, mac string) bool {
	id, _ := p.view().NextHop(netip.MustParseAddr(addr), 0)
	hop, ok := p.hops.Load(id)
	return ok && hop.DstSrc&(1<<48-1) == wireMAC(p.t, mac)
}

func (p *testPath) verdict(addr string) packet.Verdict {
	id, v := p.view().NextHop(netip.MustParseAddr(addr), 0)
	if _, ok := p.hops.Load(id); v == packet.Pending && !ok {
		return packet.DropNoNeighbour
	}
	return v
}

func route(p *testPath, twin int, to string, via ...string) *netlink.Route {
	prefix := netip.MustParsePrefix(to)
	r := &netlink.Route{Dst: &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}}
	switch len(via) {
	case 0:
		r.LinkIndex, r.Scope = p.twins[twin].index, netlink.SCOPE_LINK
	case 1:
		r.LinkIndex, r.Gw = p.twins[twin].index, net.ParseIP(via[0])
	default:
		for i, v := range via {
			r.MultiPath = append(r.MultiPath, &netlink.NexthopInfo{LinkIndex: p.twins[twin].index, Gw: net.ParseIP(v), Hops: 2*(i+1) - 1})
		}
	}
	return r
}

func TestMirrorNeighbours(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	require.EqualValues(t, 2, p.view().Epoch)
	for _, host := range []string{"10.0.0.2", "fd00::2"} {
		require.Equal(t, packet.DropNoNeighbour, p.verdict(host))
		addNeighbour(t, p, host, macA, unix.NUD_REACHABLE)
		eventually(t, func() bool { return p.leads(host, macA) }, "%s resolved", host)

		id, _ := p.view().NextHop(netip.MustParseAddr(host), 0)
		hop, ok := p.hops.Load(id)
		require.True(t, ok)
		require.EqualValues(t, 0, hop.Port())
		require.EqualValues(t, 1500, hop.MTU())
		require.Equal(t, wireMAC(t, macOfSpec(portNumber(0))), hop.DstSrc>>48|uint64(hop.Src())<<16, "source is the port")

		view := p.view()
		addNeighbour(t, p, host, macB, unix.NUD_STALE)
		eventually(t, func() bool { return p.leads(host, macB) }, "%s moved", host)
		time.Sleep(5 * batchTime) // for a view that should not come
		require.Same(t, view, p.view(), "a move makes no new view")

		addNeighbour(t, p, host, macB, unix.NUD_FAILED)
		eventually(t, func() bool { return p.verdict(host) == packet.DropNoNeighbour }, "%s failed", host)
		addNeighbour(t, p, host, macA, unix.NUD_PERMANENT)
		eventually(t, func() bool { return p.leads(host, macA) }, "%s back", host)
		require.NoError(t, netlink.NeighDel(&netlink.Neigh{LinkIndex: p.twins[0].index, IP: net.ParseIP(host)}))
		eventually(t, func() bool { return p.verdict(host) == packet.DropNoNeighbour }, "%s removed", host)

		addNeighbour(t, p, host, macA, unix.NUD_PERMANENT)
		eventually(t, func() bool { return p.leads(host, macA) }, "%s again", host)
	}
}

func macOfSpec(s PortSpec) string { return net.HardwareAddr(s.MAC[:]).String() }

func TestMirrorRoutes(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0), portNumber(1))
	for _, c := range []struct{ to, host, via, onlink string }{
		{"203.0.113.0/24", "203.0.113.9", "10.0.0.2", "198.51.100.0/24"},
		{"2001:db8:1::/48", "2001:db8:1::9", "fd00::2", "2001:db8:2::/48"},
	} {
		addNeighbour(t, p, c.via, macA, unix.NUD_PERMANENT)
		require.Equal(t, packet.DropNoRoute, p.verdict(c.host))
		epoch := p.view().Epoch
		require.NoError(t, netlink.RouteAdd(route(p, 0, c.to, c.via)))
		eventually(t, func() bool { return p.leads(c.host, macA) }, "route %s", c.to)
		require.NotEqual(t, epoch, p.view().Epoch)
		require.NoError(t, netlink.RouteDel(route(p, 0, c.to, c.via)))
		eventually(t, func() bool { return p.verdict(c.host) == packet.DropNoRoute }, "route %s removed", c.to)

		inside := netip.MustParsePrefix(c.onlink).Addr().Next().String()
		require.NoError(t, netlink.RouteAdd(route(p, 0, c.onlink)))
		eventually(t, func() bool { return p.verdict(inside) == packet.DropNoNeighbour }, "on-link route %s", c.onlink)
		addNeighbour(t, p, inside, macB, unix.NUD_REACHABLE)
		eventually(t, func() bool { return p.leads(inside, macB) }, "host on-link in %s", c.onlink)
	}
}

func TestMirrorMultipath(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	addNeighbour(t, p, "10.0.0.2", macA, unix.NUD_PERMANENT)
	addNeighbour(t, p, "10.0.0.3", macB, unix.NUD_PERMANENT)
	require.NoError(t, netlink.RouteAdd(route(p, 0, "203.0.113.0/24", "10.0.0.2", "10.0.0.3"))) // weights 2 and 4
	eventually(t, func() bool { return p.leads("203.0.113.1", macA) }, "multipath route")
	count := map[uint64]int{}
	for hash := range uint32(300) {
		id, _ := p.view().NextHop(netip.MustParseAddr("203.0.113.1"), hash)
		hop, ok := p.hops.Load(id)
		require.True(t, ok)
		count[hop.DstSrc&(1<<48-1)]++
	}
	require.Equal(t, map[uint64]int{wireMAC(t, macA): 100, wireMAC(t, macB): 200}, count)
}

// What the kernel would send elsewhere must not follow our default route.
func TestMirrorRouteElsewhere(t *testing.T) {
	needNamespace(t)
	newHost(t, "mgmt0")
	require.NoError(t, addAddr("mgmt0", "10.200.0.1/24"))
	p := startPath(t, Config{}, portNumber(0))
	addNeighbour(t, p, "10.0.0.2", macA, unix.NUD_PERMANENT)
	require.NoError(t, netlink.RouteAdd(route(p, 0, "0.0.0.0/0", "10.0.0.2")))
	eventually(t, func() bool { return p.leads("8.8.8.8", macA) }, "default route")
	require.Equal(t, packet.DropNoRoute, p.verdict("10.200.0.7"))

	hole := route(p, 0, "203.0.113.0/24")
	hole.LinkIndex, hole.Scope, hole.Type = 0, 0, unix.RTN_BLACKHOLE
	require.NoError(t, netlink.RouteAdd(hole))
	defer netlink.RouteDel(hole)
	eventually(t, func() bool { return p.verdict("203.0.113.1") == packet.DropNoRoute }, "blackhole")

	// The better of two routes counts, and the other one when it is gone.
	worse, better := route(p, 0, "198.51.100.0/24", "10.0.0.2"), route(p, 0, "198.51.100.0/24", "10.0.0.3")
	worse.Priority, better.Priority = 200, 100
	addNeighbour(t, p, "10.0.0.3", macB, unix.NUD_PERMANENT)
	require.NoError(t, netlink.RouteAdd(worse))
	eventually(t, func() bool { return p.leads("198.51.100.1", macA) }, "one route")
	require.NoError(t, netlink.RouteAdd(better))
	eventually(t, func() bool { return p.leads("198.51.100.1", macB) }, "better route")
	require.NoError(t, netlink.RouteDel(better))
	eventually(t, func() bool { return p.leads("198.51.100.1", macA) }, "first route again")
}

// The kernel does not report each route that goes with a link or a carrier.
func TestMirrorFlap(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	const host = "203.0.113.1"
	back := func() {
		addNeighbour(t, p, "10.0.0.2", macA, unix.NUD_PERMANENT)
		eventually(t, func() bool { return p.leads(host, macA) }, "route in use")
	}
	require.NoError(t, netlink.RouteAdd(route(p, 0, "203.0.113.0/24", "10.0.0.2")))
	back()
	require.NoError(t, p.LinkChanged(0, false))
	eventually(t, func() bool { return p.verdict(host) == packet.DropNoRoute }, "no carrier, no route")
	require.NoError(t, p.LinkChanged(0, true))
	back()

	link, err := netlink.LinkByName("sl-w0")
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetDown(link))
	eventually(t, func() bool { return p.verdict(host) == packet.DropNoRoute }, "link down, no route")
	require.NoError(t, netlink.LinkSetUp(link))
	require.NoError(t, netlink.RouteAdd(route(p, 0, "203.0.113.0/24", "10.0.0.2")))
	back()
}

// After lost notifications everything is read again.
func TestMirrorOverrun(t *testing.T) {
	needNamespace(t)
	p := openPath(t, Config{}, portNumber(0))
	// The smallest buffer that the kernel allows, and nobody reading yet.
	raw, err := p.mirror.notify.file.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		require.NoError(t, unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 1))
	}))
	addNeighbour(t, p, "10.0.0.253", macA, unix.NUD_PERMANENT)
	require.NoError(t, p.mirror.sync())
	require.True(t, p.resolved("10.0.0.253"))
	for i := range 250 {
		addNeighbour(t, p, netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 2)}).String(), macA, unix.NUD_PERMANENT)
	}
	require.NoError(t, netlink.RouteAdd(route(p, 0, "203.0.113.0/24", "10.0.0.251")))
	require.NoError(t, netlink.NeighDel(&netlink.Neigh{LinkIndex: p.twins[0].index, IP: net.ParseIP("10.0.0.253")}))
	p.mirror.publishChange()
	p.mirror.notify.start()
	p.mirror.done.Go(p.mirror.run)
	p.pump.start()
	defer p.close()
	eventually(t, func() bool {
		return p.view() != nil && p.leads("10.0.0.250", macA) && p.leads("203.0.113.1", macA) &&
			p.verdict("10.0.0.253") == packet.DropNoNeighbour
	}, "tables read again")
}

// resolved says whether the slot of a host on port 0 has a link address.
func (p *testPath) resolved(addr string) bool {
	_, ok := p.hops.Load(p.mirror.ids.of(service.Neighbour{Link: 1, Addr: netip.MustParseAddr(addr)}))
	return ok
}

// An entry set by hand survives our asking for it, even before we know of it.
func TestManagingSparesFixedNeighbours(t *testing.T) {
	needNamespace(t)
	p := openPath(t, Config{}, portNumber(0))
	defer p.close()
	addNeighbour(t, p, "10.0.0.2", macA, unix.NUD_PERMANENT)
	p.SetBackends(addrs("10.0.0.2"))
	p.mirror.readCarriers()
	p.mirror.want() // before anything was read
	for _, when := range []string{"unknown", "known"} {
		list, err := netlink.NeighList(p.twins[0].index, unix.AF_INET)
		require.NoError(t, err)
		require.Len(t, list, 1)
		require.Equal(t, unix.NUD_PERMANENT, list[0].State, when)
		require.NoError(t, p.mirror.sync())
	}
}

// A broadcast address has an entry in the kernel, too, and is no host.
func TestBroadcastIsNoNeighbour(t *testing.T) {
	n := netlink.Neigh{State: unix.NUD_NOARP, HardwareAddr: net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}
	require.False(t, parseNeighbour(&n).resolved)
	n.HardwareAddr[0] = 2
	require.True(t, parseNeighbour(&n).resolved)
	n.State = unix.NUD_INCOMPLETE
	require.False(t, parseNeighbour(&n).resolved)
}

func TestRepeatWeights(t *testing.T) {
	require.Equal(t, []service.NextHopID{1, 2, 2}, repeat([]weighted{{1, 2}, {2, 4}}))
	require.Empty(t, repeat(nil))
	require.Equal(t, []service.NextHopID{2}, repeat([]weighted{{0, 1}, {2, 1}}))
	list := repeat([]weighted{{1, 1}, {2, 65535}})
	require.LessOrEqual(t, len(list), maxPaths)
	require.EqualValues(t, 1, list[0])
	require.EqualValues(t, 2, list[1])
}
