package conformance

import (
	"fmt"

	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// family is the addresses of one IP version, for cases that are the same in both.
type family struct {
	name          string
	cip, vip, lip string
	far           string // a router beyond the client
	rip           func(n int) string
}

var (
	ip4 = family{"ipv4", cip, vip, lip, "203.0.113.254", func(n int) string { return fmt.Sprintf("10.0.0.%d", n) }}
	ip6 = family{"ipv6", "2001:db8:7::7", "2001:db8:10::10", "fd00::200", "2001:db8:7::fe", func(n int) string { return fmt.Sprintf("fd00::%d", n) }}

	families = []family{ip4, ip6}
	protos   = map[uint8]string{frame.TCP: "tcp", frame.UDP: "udp"}
	natModes = []service.Mode{service.ModeNAT, service.ModeFullNAT}
	onePort  = []service.Mode{service.ModeDR, service.ModeNAT, service.ModeFullNAT} // all but tun
)

// service has backends 10.0.0.n or fd00::n, oldest first, at rport if they may.
func (f family) service(mode service.Mode, proto uint8, backends ...int) world.Service {
	s := world.Service{Proto: proto, VIP: f.vip, Port: vport, Mode: mode}
	for _, n := range backends {
		b := world.Backend{Addr: f.rip(n)}
		if translates(mode) {
			b.Port = rport
		}
		s.Backends = append(s.Backends, b)
	}
	if mode == service.ModeFullNAT {
		s.Locals = []string{f.lip}
	}
	return s
}

// tunnel is a service of mode tun whose backends are of family outer.
func (f family) tunnel(outer family, proto uint8, backends ...int) world.Service {
	s := f.service(service.ModeTun, proto)
	for _, n := range backends {
		s.Backends = append(s.Backends, world.Backend{Addr: outer.rip(n), Local: outer.lip})
	}
	return s
}

func translates(mode service.Mode) bool {
	return mode == service.ModeNAT || mode == service.ModeFullNAT
}

// request is a client's packet, as request's.
func (f family) request(proto uint8) frame.Packet {
	p := request(proto)
	p.Src, p.Dst = f.cip, f.vip
	return p
}

// reply is what backend n answers in a mode that passes replies here.
func (f family) reply(mode service.Mode, proto uint8, n int) frame.Packet {
	p := reply(proto, byte(n), Local1)
	p.Src, p.Dst = f.rip(n), f.lip
	if mode == service.ModeNAT {
		p.Dst, p.DstPort = f.cip, cport
	}
	return p
}

// there is a request as it must reach backend n, not in mode tun; the way back
// of fullnat begins at Local1.
func (f family) there(mode service.Mode, p frame.Packet, n int) frame.Packet {
	p = viaDR(p, byte(n))
	if translates(mode) {
		p.Dst, p.DstPort = f.rip(n), rport
	}
	if mode == service.ModeFullNAT {
		p.Src, p.SrcPort = f.lip, Local1
	}
	return p
}

// back is a reply as it must reach the client.
func (f family) back(p frame.Packet) frame.Packet {
	p = routed(p, world.Clients, world.RouterMAC)
	p.Src, p.SrcPort, p.Dst, p.DstPort = f.vip, vport, f.cip, cport
	return p
}

// size makes the IP packet that many bytes long.
func size(bytes int) func(*frame.Packet) {
	return func(p *frame.Packet) {
		p.Payload = nil
		p.Payload = make([]byte, bytes-len(p.IP()))
	}
}

// each calls add for every family and protocol, with their names.
func each(add func(name string, f family, proto uint8)) {
	for _, f := range families {
		for _, proto := range []uint8{frame.TCP, frame.UDP} {
			add(f.name+" "+protos[proto], f, proto)
		}
	}
}
