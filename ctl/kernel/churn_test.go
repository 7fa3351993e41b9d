package kernel

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// Whatever order things happen in, in the end the mirror shows what is there.
func TestMirrorAfterChurn(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	random := rand.New(rand.NewPCG(1, 2))
	const hosts = 20
	macs := []string{"", macA, macB}
	var neighbours, routes [hosts]int // index of MAC; gateway's number + 1
	for range 2000 {
		i := random.IntN(hosts)
		if random.IntN(2) == 0 {
			neighbours[i] = churnNeighbour(t, p, i, neighbours[i], random.IntN(len(macs)), macs)
		} else {
			routes[i] = churnRoute(t, p, i, routes[i], random.IntN(hosts+1))
		}
	}
	for i := range hosts {
		onlink, routed := churnHost(i).String(), churnPrefix(i).Addr().Next().String()
		eventually(t, func() bool { return p.shows(onlink, macs[neighbours[i]]) }, "neighbour %d", i)
		if routes[i] == 0 {
			eventually(t, func() bool { return p.verdict(routed) == packet.DropNoRoute }, "no route %d", i)
			continue
		}
		eventually(t, func() bool { return p.shows(routed, macs[neighbours[routes[i]-1]]) }, "route %d", i)
	}
}

func (p *testPath) shows(addr, mac string) bool {
	if mac == "" {
		return p.verdict(addr) == packet.DropNoNeighbour
	}
	return p.leads(addr, mac)
}

func churnHost(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 2)}) }
func churnPrefix(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(i), 0}), 24)
}

func churnNeighbour(t *testing.T, p *testPath, i, old, new int, macs []string) int {
	entry := &netlink.Neigh{LinkIndex: p.twins[0].index, IP: churnHost(i).AsSlice(), Family: unix.AF_INET, State: unix.NUD_PERMANENT}
	if new != 0 {
		addNeighbour(t, p, churnHost(i).String(), macs[new], unix.NUD_PERMANENT)
	} else if old != 0 {
		require.NoError(t, netlink.NeighDel(entry))
	}
	return new
}

func churnRoute(t *testing.T, p *testPath, i, old, new int) int {
	r := &netlink.Route{LinkIndex: p.twins[0].index, Dst: &net.IPNet{IP: churnPrefix(i).Addr().AsSlice(), Mask: net.CIDRMask(24, 32)}}
	switch {
	case new != 0:
		r.Gw = churnHost(new - 1).AsSlice()
		require.NoError(t, netlink.RouteReplace(r))
	case old != 0:
		require.NoError(t, netlink.RouteDel(r))
	}
	return new
}
