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
	Shared     bool // some route has several gateways: the answer depends on the hash
	routes     *bart.Table[Route]
	octets     octets
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
	n := &Net{Epoch: epoch, Hops: hops, routes: table, neighbours: neighbours}
	for prefix, route := range routes {
		table.Insert(prefix, route)
		n.Shared = n.Shared || len(route.Via) > 1
	}
	n.octets = newOctets(routes)
	return n
}

// route is the one with the longest prefix of dst.
func (n *Net) route(dst netip.Addr) (route Route, ok bool) {
	if r := n.octets.route(dst); r != nil {
		return *r, true
	}
	return n.routes.Lookup(dst)
}

// NextHopWire is NextHop of an address of a packet.
func (n *Net) NextHopWire(dst Wire, hash uint32) (NextHopID, packet.Verdict) {
	if r := n.octets.wire(dst); r != nil && len(r.Via) == 1 {
		return r.Via[0], packet.Pending
	}
	return n.NextHop(dst.Addr(), hash)
}

// NextHop finds where a packet to dst leaves. Several gateways share flows by
// hash. With id 0 the verdict says why: no route, or a neighbour that has to be
// resolved first. Called on flow creation and when a flow's cached epoch is
// old, not per packet.
func (n *Net) NextHop(dst netip.Addr, hash uint32) (NextHopID, packet.Verdict) {
	route, ok := n.route(dst)
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
