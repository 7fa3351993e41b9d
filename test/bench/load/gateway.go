// Package load is what benchmarks send and to whom: a gateway with one port,
// its services as the control plane builds them, and the frames of any number
// of flows.
//
// Runs on: the benchmark's goroutines; a Draw and a Frames belong to one at a
// time. Touches: the Store it makes.
package load

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/build"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// Setup says what a gateway serves.
type Setup struct {
	Mode     service.Mode
	IPv6     bool
	TCP      bool
	Services int // 0: 1
	Backends int // of each; 0: 64
	Workers  int // 0: 1
}

// Gateway is a configured gateway without workers.
type Gateway struct {
	Setup
	Store   *service.Store
	Builder *build.Builder
	MAC     packet.MAC // of its only port
}

const (
	hops        = 64 // next hops that backends are spread over, besides the clients' router
	routerHop   = service.NextHopID(hops + 1)
	locals      = 8 // fullnat's local addresses: 64,512 ports each towards each backend
	tunLocals   = 1
	VirtualPort = 80
)

// RouterMAC is where all frames come from.
var RouterMAC = packet.MAC{2, 0, 0, 0, 1, 1}

// NewGateway makes a gateway whose port has that address.
func NewGateway(mac packet.MAC, s Setup) (*Gateway, error) {
	s.Services, s.Workers = max(s.Services, 1), max(s.Workers, 1)
	if s.Backends == 0 {
		s.Backends = 64
	}
	slots := new(service.NextHops)
	routes := map[netip.Prefix]service.Route{}
	for i := range hops + 1 {
		id := service.NextHopID(i + 1)
		dst := packet.MAC{2, 0, 0, 0, 2, byte(i)}
		slots.Set(id, service.NextHop{MTU: 1500, Src: mac, Dst: dst, Resolved: true})
		if id != routerHop {
			routes[netip.PrefixFrom(backend4(i, 0), 16)] = service.Route{Via: []service.NextHopID{id}}
			routes[netip.PrefixFrom(backend6(i, 0), 64)] = service.Route{Via: []service.NextHopID{id}}
		}
	}
	routes[netip.MustParsePrefix("0.0.0.0/0")] = service.Route{Via: []service.NextHopID{routerHop}}
	routes[netip.MustParsePrefix("::/0")] = service.Route{Via: []service.NextHopID{routerHop}}
	g := &Gateway{Setup: s, MAC: mac, Store: service.NewStore(s.Workers, slots)}
	err := g.Store.Update(func(now *service.Snapshot) (*service.Snapshot, error) {
		return now.WithNet(service.NewNet(2, slots, routes, nil)), nil
	})
	if err != nil {
		return nil, err
	}
	g.Builder = build.New(g.Store, build.Limits{Services: s.Services, Backends: s.Services * s.Backends}, unused{})
	_, err = g.Builder.ReplaceAll(g.services(), nil)
	return g, err
}

// services are all of the setup, in the control socket's words.
func (g *Gateway) services() []api.Service {
	out := make([]api.Service, g.Services)
	for i := range out {
		out[i] = api.Service{Protocol: "udp", Address: g.virtual(i).String(), Port: VirtualPort, Mode: g.Mode.String()}
		if g.TCP {
			out[i].Protocol = "tcp"
		}
		for n := range g.localCount() {
			out[i].LocalAddresses = append(out[i].LocalAddresses, g.Local(n).String())
		}
		for n := range g.Backends {
			out[i].Backends = append(out[i].Backends, g.Backend(i, n, 1))
		}
	}
	return out
}

func (g *Gateway) localCount() int {
	switch g.Mode {
	case service.ModeFullNAT:
		return locals
	case service.ModeTun:
		return tunLocals
	}
	return 0
}

// Key is service i's.
func (g *Gateway) Key(i int) api.Key {
	key := api.Key{Protocol: "udp", Address: g.virtual(i), Port: VirtualPort}
	if g.TCP {
		key.Protocol = "tcp"
	}
	return key
}

// Backend is backend n of service i with a weight.
func (g *Gateway) Backend(i, n int, weight uint32) api.Backend {
	at := i*g.Backends + n
	addr := backend4(at%hops, at/hops+1)
	if g.IPv6 {
		addr = backend6(at%hops, at/hops+1)
	}
	b := api.Backend{Address: addr.String(), Weight: &weight}
	if g.Mode == service.ModeNAT || g.Mode == service.ModeFullNAT {
		b.Port = 8080
	}
	return b
}

// virtual is the address of service i.
func (g *Gateway) virtual(i int) netip.Addr {
	if g.IPv6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%x", i+1))
	}
	return netip.AddrFrom4([4]byte{100, 64, byte((i + 1) >> 8), byte(i + 1)})
}

// Local is fullnat's or tun's local address n.
func (g *Gateway) Local(n int) netip.Addr {
	if g.IPv6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:2::%x", n+1))
	}
	return netip.AddrFrom4([4]byte{192, 0, 2, byte(n + 1)})
}

func backend4(hop, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(hop), byte(n >> 8), byte(n)})
}

func backend6(hop, n int) netip.Addr {
	return netip.MustParseAddr(fmt.Sprintf("fd00:0:0:%x::%x", hop+1, n))
}

// unused is build.Usage for a configuration from which nothing is removed.
type unused struct{}

func (unused) Revision() uint64                                                       { return 0 }
func (unused) Flows(service.BackendID) uint64                                         { return 1 }
func (unused) Freed(service.BackendID)                                                {}
func (unused) Scan(context.Context, func(service.ID, service.Mode, netip.Addr)) error { return nil }
