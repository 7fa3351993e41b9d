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

// SmallMTU is what fits to 10.0.0.8, in bytes; 1500 everywhere else.
const SmallMTU = 1000

// PortMAC is a port's address.
func PortMAC(port int) packet.MAC { return packet.MAC{2, 0, 0, 0, 0, byte(port + 1)} }

// RouterMAC is where all clients are, but the neighbours on 198.51.100.0/24.
var RouterMAC = packet.MAC{2, 0, 0, 0, 1, 1}

// BackendMAC is the address of 10.0.0.n, n from 1 to 8.
func BackendMAC(n byte) packet.MAC { return packet.MAC{2, 0, 0, 0, 2, n} }

// Next-hop ids: the router's is 1, that of 10.0.0.n is 1+n.
const routerHop service.NextHopID = 1

// Network is what the kernel would say of the network.
type Network struct {
	Routes     map[netip.Prefix]service.Route
	Neighbours map[service.Neighbour]service.NextHopID
}

// network is how it begins: 10.0.0.99 is on the link but silent, 172.16/12 has
// no route.
func network() Network {
	n := Network{
		Routes: map[netip.Prefix]service.Route{
			netip.MustParsePrefix("0.0.0.0/0"):     {Via: []service.NextHopID{routerHop}},
			netip.MustParsePrefix("10.0.0.0/24"):   {Link: Backends + 1},
			netip.MustParsePrefix("172.16.0.0/12"): {},
		},
		Neighbours: map[service.Neighbour]service.NextHopID{},
	}
	for i := range 8 {
		n.Neighbours[Neighbour(i+1)] = routerHop + service.NextHopID(i+1)
	}
	return n
}

// Neighbour is 10.0.0.n.
func Neighbour(n int) service.Neighbour {
	return service.Neighbour{Link: Backends + 1, Addr: netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", n))}
}

func newHops() *service.NextHops {
	hops := new(service.NextHops)
	hops.Set(routerHop, service.NextHop{Port: Clients, MTU: 1500, Src: PortMAC(Clients), Dst: RouterMAC, Resolved: true})
	for n := byte(1); n <= 8; n++ {
		hop := service.NextHop{Port: Backends, MTU: 1500, Src: PortMAC(Backends), Dst: BackendMAC(n), Resolved: true}
		if n == 8 {
			hop.MTU = SmallMTU
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
