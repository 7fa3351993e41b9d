package main

import (
	"fmt"
	"net/netip"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Ports of sites. nginx is on 80 and test/echo on 7, of both real servers;
// test/echo on modePort, too.
const (
	webPort   = 80
	echoPort  = 7
	longPort  = 9000 // TCP echo, steady
	modePort  = 9001 // TCP and UDP echo; the mode changes
	localPort = 9002 // TCP echo; local addresses change
	gonePort  = 9003 // TCP echo; the service goes and comes
)

// site is a service that traffic goes to.
type site struct {
	name    string
	service api.Service // as the configuration file has it
	key     api.Key
	servers string // family of the real servers
	weights [2]uint32
}

// way is a mode, the family of clients and service, and that of servers.
type way struct{ mode, family, servers string }

var ways = []way{
	{"dr", "4", "4"}, {"dr", "6", "6"},
	{"nat", "4", "4"}, {"nat", "6", "6"},
	{"fullnat", "4", "4"}, {"fullnat", "6", "6"},
	{"tun", "4", "4"}, {"tun", "6", "6"}, {"tun", "4", "6"}, {"tun", "6", "4"},
}

func (w way) vip() string {
	if w.family != w.servers {
		return "vip-mixed"
	}
	return "vip-" + w.mode
}

// steadySites are every way there is, for TCP and UDP; what changes there must
// cost nobody anything.
func steadySites(l *lab) (all []*site) {
	for _, w := range ways {
		all = append(all, l.site(w, w.vip(), "tcp", webPort), l.site(w, w.vip(), "udp", echoPort), l.site(w, w.vip(), "tcp", longPort))
	}
	return all
}

// roughSites are those whose mode and local addresses change, and whose backends
// are removed, and they themselves.
func roughSites(l *lab) (all []*site) {
	for _, f := range []string{"4", "6"} {
		all = append(all,
			l.site(way{"fullnat", f, f}, "vip-mixed", "tcp", modePort),
			l.site(way{"fullnat", f, f}, "vip-mixed", "udp", modePort),
			l.site(way{"fullnat", f, f}, "vip-fullnat", "tcp", localPort),
			l.site(way{"nat", f, f}, "vip-nat", "tcp", gonePort),
			l.site(way{"tun", f, f}, "vip-tun", "tcp", gonePort))
	}
	return all
}

func (l *lab) site(w way, vip, protocol string, port uint16) *site {
	s := api.Service{Protocol: protocol, Address: l.addr(vip, w.family).String(), Port: port, Mode: w.mode, Scheduler: "wrr",
		LocalAddresses: l.locals(w.mode, w.servers)}
	for _, server := range []string{"rs1", "rs2"} {
		one := uint32(1)
		s.Backends = append(s.Backends, api.Backend{Address: l.addr(server, w.servers).String(), Port: port, Weight: &one})
	}
	key, err := s.Key()
	if err != nil {
		panic(err) // the addresses are addresses
	}
	name := fmt.Sprintf("%s-%sin%s-%s:%d", w.mode, w.family, w.servers, protocol, port)
	return &site{name: name, service: s, key: key, servers: w.servers, weights: [2]uint32{1, 1}}
}

// locals are the local addresses that a mode has.
func (l *lab) locals(mode, family string) []string {
	if mode != "fullnat" && mode != "tun" {
		return nil
	}
	return []string{l.addr("local", family).String()}
}

func (s *site) to() netip.AddrPort { return netip.AddrPortFrom(s.key.Address, s.key.Port) }

func (s *site) backend(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(s.service.Backends[i].Address), s.service.Backends[i].Port)
}

// on are the sites with a protocol and port.
func on(all []*site, protocol string, port uint16) (out []*site) {
	for _, s := range all {
		if s.key.Protocol == protocol && s.key.Port == port {
			out = append(out, s)
		}
	}
	return out
}
