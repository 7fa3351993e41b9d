// Package world is the network and the configuration that tests of the fast
// path live in: a gateway with two ports, a router towards the clients on one
// and backends on the other. It builds snapshots as the control plane does,
// from a few words.
//
// Runs on: tests, as the control plane. Touches: the Store it has made.
package world

import (
	"fmt"
	"maps"
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// The gateway's ports, by index.
const (
	Clients  = 0
	Backends = 1
)

// What fits to some hosts, in bytes; 1500 to all others.
const (
	SmallMTU = 1000 // 10.0.0.8
	LessMTU  = 1400 // 10.0.0.6
	JumboMTU = 9000 // 10.0.0.9 and the clients in 100.64.0.0/10
)

// The VLANs that both ports know. 10.0.0.21 and 10.0.0.22 are behind a tag, and so are
// the clients in 198.18.0.0/15.
const (
	VLAN21      = 20
	VLAN22      = 21
	VLANClients = 30
)

// VLANs are all of them, for each port.
func VLANs() [][]uint16 {
	ids := []uint16{VLAN21, VLAN22, VLANClients}
	return [][]uint16{ids, ids}
}

// PortMAC is a port's address.
func PortMAC(port int) packet.MAC { return packet.MAC{2, 0, 0, 0, 0, byte(port + 1)} }

// RouterMAC is where all clients are, but the neighbours on 198.51.100.0/24.
var RouterMAC = packet.MAC{2, 0, 0, 0, 1, 1}

// BackendMAC is the address of 10.0.0.n and fd00::n, n from 1 to 9, 21 and 22.
func BackendMAC(n byte) packet.MAC { return packet.MAC{2, 0, 0, 0, 2, n} }

// Next-hop ids: the router's is 1, that of 10.0.0.n is 1+n. The router has two more
// for the same address: behind a tag, and for jumbo frames.
const (
	routerHop service.NextHopID = 1 + iota*50
	taggedHop
	jumboHop
)

// neighbours are the n of 10.0.0.n and fd00::n that there are.
var neighbours = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 22}

// Network is what the kernel would say of the network.
type Network struct {
	Routes     map[netip.Prefix]service.Route
	Neighbours map[service.Neighbour]service.NextHopID
}

// network is how it begins: 10.0.0.99 and fd00::99 are on the link but silent,
// 172.16/12 and fc00:172::/32 have no route. IPv6 clients are where their IPv4
// brothers are: everywhere, in 2001:db8:18::/48 and in 2001:db8:64::/48.
func network() Network {
	n := Network{
		Routes: map[netip.Prefix]service.Route{
			netip.MustParsePrefix("0.0.0.0/0"):     {Via: []service.NextHopID{routerHop}},
			netip.MustParsePrefix("10.0.0.0/24"):   {Link: Backends + 1},
			netip.MustParsePrefix("172.16.0.0/12"): {},
			netip.MustParsePrefix("198.18.0.0/15"): {Via: []service.NextHopID{taggedHop}},
			netip.MustParsePrefix("100.64.0.0/10"): {Via: []service.NextHopID{jumboHop}},

			netip.MustParsePrefix("::/0"):             {Via: []service.NextHopID{routerHop}},
			netip.MustParsePrefix("fd00::/64"):        {Link: Backends + 1},
			netip.MustParsePrefix("fc00:172::/32"):    {},
			netip.MustParsePrefix("2001:db8:18::/48"): {Via: []service.NextHopID{taggedHop}},
			netip.MustParsePrefix("2001:db8:64::/48"): {Via: []service.NextHopID{jumboHop}},
		},
		Neighbours: map[service.Neighbour]service.NextHopID{},
	}
	for _, i := range neighbours {
		n.Neighbours[Neighbour(i)] = routerHop + service.NextHopID(i)
		n.Neighbours[Neighbour6(i)] = routerHop + service.NextHopID(i)
	}
	return n
}

// Neighbour is 10.0.0.n.
func Neighbour(n int) service.Neighbour {
	return service.Neighbour{Link: Backends + 1, Addr: netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", n))}
}

// Neighbour6 is fd00::n, the n written in decimal.
func Neighbour6(n int) service.Neighbour {
	return service.Neighbour{Link: Backends + 1, Addr: netip.MustParseAddr(fmt.Sprintf("fd00::%d", n))}
}

func newHops() *service.NextHops {
	hops := new(service.NextHops)
	router := service.NextHop{Port: Clients, MTU: 1500, Src: PortMAC(Clients), Dst: RouterMAC, Resolved: true}
	tagged, jumbo := router, router
	tagged.VLAN, jumbo.MTU = VLANClients, JumboMTU
	hops.Set(routerHop, router)
	hops.Set(taggedHop, tagged)
	hops.Set(jumboHop, jumbo)
	for _, n := range neighbours {
		hop := service.NextHop{Port: Backends, MTU: 1500, Src: PortMAC(Backends), Dst: BackendMAC(byte(n)), Resolved: true}
		switch n {
		case 6:
			hop.MTU = LessMTU
		case 8:
			hop.MTU = SmallMTU
		case 9:
			hop.MTU = JumboMTU
		case 21:
			hop.VLAN = VLAN21
		case 22:
			hop.VLAN = VLAN22
		}
		hops.Set(routerHop+service.NextHopID(n), hop)
	}
	return hops
}

// Rewire publishes a changed network, with the next epoch.
func (w *World) Rewire(change func(*Network)) {
	change(&w.network)
	w.epoch++
	net := service.NewNet(w.epoch, w.Hops, maps.Clone(w.network.Routes), maps.Clone(w.network.Neighbours))
	w.update(func(s *service.Snapshot) *service.Snapshot { return s.WithNet(net) })
}
