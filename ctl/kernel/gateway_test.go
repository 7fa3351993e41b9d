package kernel

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

func deleteNeighbour(t *testing.T, p *testPath, addr string) {
	t.Helper()
	require.NoError(t, netlink.NeighDel(&netlink.Neigh{LinkIndex: p.twins[0].index, IP: net.ParseIP(addr)}))
}

// share counts where 300 flows to addr would leave.
func (p *testPath) share(addr string) map[uint64]int {
	count := map[uint64]int{}
	for hash := range uint32(300) {
		id, _ := p.view().NextHop(netip.MustParseAddr(addr), hash)
		hop, _ := p.hops.Load(id)
		count[hop.DstSrc&(1<<48-1)]++
	}
	return count
}

// A gateway that does not answer loses its flows to the others of the route, and
// gets its share back when it answers again; the last one keeps them.
func TestSilentGatewayIsPassedOver(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	for _, c := range []struct{ to, host, a, b string }{
		{"203.0.113.0/24", "203.0.113.1", "10.0.0.2", "10.0.0.3"},
		{"2001:db8:1::/48", "2001:db8:1::1", "fd00::2", "fd00::3"},
	} {
		addNeighbour(t, p, c.a, macA, unix.NUD_PERMANENT)
		addNeighbour(t, p, c.b, macB, unix.NUD_PERMANENT)
		require.NoError(t, netlink.RouteAdd(route(p, 0, c.to, c.a, c.b))) // weights 2 and 4
		a, b := wireMAC(t, macA), wireMAC(t, macB)
		shares := func(what string, want map[uint64]int) {
			t.Helper()
			eventually(t, func() bool { got := p.share(c.host); return got[a] == want[a] && got[b] == want[b] }, what)
		}
		shares("both", map[uint64]int{a: 100, b: 200})
		epoch := p.view().Epoch
		addNeighbour(t, p, c.b, macB, unix.NUD_FAILED)
		shares("one is silent", map[uint64]int{a: 300})
		require.NotEqual(t, epoch, p.view().Epoch, "flows look again")
		addNeighbour(t, p, c.a, macA, unix.NUD_FAILED)
		eventually(t, func() bool { return p.verdict(c.host) == packet.DropNoNeighbour }, "all are silent")
		addNeighbour(t, p, c.b, macB, unix.NUD_REACHABLE)
		shares("the other is back", map[uint64]int{b: 300})
		addNeighbour(t, p, c.a, macA, unix.NUD_REACHABLE)
		shares("both again", map[uint64]int{a: 100, b: 200})
	}
}
