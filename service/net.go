package service

import (
	"net/netip"

	"github.com/gaissmai/bart"

	"github.com/sluice-lb/sluice/packet"
)

// Net is the kernel's view of the network around the gateway, mirrored: its
// routes out of our ports, and the on-link neighbours there. It is immutable;
// a change makes a new one with the next Epoch. (A neighbour whose link
// address changes is no such change: see NextHops.)
type Net struct {
	Epoch      uint32 // moves whenever the answer of NextHop may differ; never 0
	Hops       *NextHops
	routes     *bart.Table[Route]
	neighbours map[Neighbour]NextHopID
}

// Route is where the kernel would send a packet.
type Route struct {
	Via  []NextHopID // gateways, repeated by weight; empty: on-link
	Link uint16      // on-link: see Neighbour; 0: nowhere (blackhole, not our port)
}

// Neighbour names a host on a link. A link is one network of a port, untagged or
// a VLAN; its number, never 0, serves to compare. What is sent there carries the
// port and VLAN of the next hop.
type Neighbour struct {
	Link uint16
	Addr netip.Addr
}

// NewNet makes the view from complete tables. It keeps both; the caller must
// not touch them any more.
func NewNet(epoch uint32, hops *NextHops, routes map[netip.Prefix]Route, neighbours map[Neighbour]NextHopID) *Net {
	table := new(bart.Table[Route])
	for prefix, route := range routes {
		table.Insert(prefix, route)
	}
	return &Net{Epoch: epoch, Hops: hops, routes: table, neighbours: neighbours}
}

// NextHop finds where a packet to dst leaves. Several gateways share flows by
// hash. With id 0 the verdict says why: no route, or a neighbour that has to be
// resolved first. Called on flow creation and when a flow's cached epoch is
// old, not per packet.
func (n *Net) NextHop(dst netip.Addr, hash uint32) (NextHopID, packet.Verdict) {
	route, ok := n.routes.Lookup(dst)
	if !ok || route.Link == 0 && len(route.Via) == 0 {
		return 0, packet.DropNoRoute
	}
	if k := uint32(len(route.Via)); k > 0 {
		return route.Via[hash%k], packet.Pending
	}
	if id, ok := n.neighbours[Neighbour{route.Link, dst}]; ok {
		return id, packet.Pending
	}
	return 0, packet.DropNoNeighbour
}

// HashAddr spreads addresses; the values differ from run to run.
func HashAddr(a netip.Addr) uint32 { return uint32(hashAddr(a) >> 32) }
