package conformance

import (
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// sizeCases: jumbo frames, ports of different MTU, and what a tunnel takes.
func sizeCases() (all []Case) {
	for _, f := range families {
		big := func(n int) frame.Packet { return with(f.request(frame.UDP), size(n), dontFragment) }
		all = append(all, tooBigNAT(f))
		for _, mode := range onePort {
			svc := services(f.service(mode, frame.UDP, 6))
			name := "size " + mode.String() + " " + f.name
			all = append(all, jumbo(name+", jumbo", f, mode),
				tooBigCase(name+", one more than fits", svc, f, big(world.LessMTU+1), world.LessMTU),
				tooBigCase(name+", much more than fits", svc, f, big(world.JumboMTU), world.LessMTU),
				fitsCase(name+", what fits", svc, big(world.LessMTU), atBackends(f.there(mode, big(world.LessMTU), 6))))
		}
		for _, outer := range families {
			overhead := map[string]int{ip4.name: 20, ip6.name: 40}[outer.name]
			for n, mtu := range map[int]int{1: 1500, 6: world.LessMTU, 9: world.JumboMTU} {
				svc := services(f.tunnel(outer, frame.UDP, n))
				name := "size tun " + f.name + " in " + outer.name + map[int]string{1: "", 6: ", less", 9: ", jumbo"}[n]
				all = append(all,
					fitsCase(name+", what fits", svc, big(mtu-overhead), []Frame{encapsulated(big(mtu-overhead), outer, n)}),
					tooBigCase(name+", one more than fits", svc, f, big(mtu-overhead+1), uint16(mtu-overhead)))
			}
		}
	}
	return append(all, tunTooBigWithoutDF())
}

// jumbo: frames of 9000 bytes both ways, between a port's jumbo neighbours.
func jumbo(name string, f family, mode service.Mode) Case {
	f.cip = map[string]string{ip4.name: "100.64.0.7", ip6.name: "2001:db8:64::7"}[f.name]
	in, back := with(f.request(frame.TCP), size(9000)), with(f.reply(mode, frame.TCP, 9), size(9000))
	c := fitsCase(name, services(f.service(mode, frame.TCP, 9)), in, atBackends(f.there(mode, in, 9)))
	if translates(mode) {
		c.Steps = append(c.Steps, Step{In: atBackends(back), Out: atClients(f.back(back))})
		c.Verdicts[packet.Forwarded]++
	}
	return c
}

func fitsCase(name string, svc []world.Service, in frame.Packet, out []Frame) Case {
	return Case{Name: name, Services: svc, Steps: []Step{{In: atClients(in), Out: out}}, Verdicts: Verdicts{packet.Forwarded: 1}}
}

// tooBigCase: the client hears what would fit, about the packet with its TTL
// decremented.
func tooBigCase(name string, svc []world.Service, f family, in frame.Packet, mtu uint16) Case {
	e := answerOf(f, frame.ICMPError{Type: 3, Code: 4, MTU: mtu})
	return Case{
		Name: name, Services: svc, Verdicts: Verdicts{packet.AnsweredTooBig: 1},
		Steps: []Step{{In: atClients(in), Out: []Frame{{Port: world.Clients, Packet: with(in, ttl(63)), Error: &e}}}},
	}
}

// tooBigNAT: a jumbo backend's reply does not fit to the client: it hears so from
// the VIP.
func tooBigNAT(f family) Case {
	in, back := f.request(frame.UDP), with(f.reply(service.ModeNAT, frame.UDP, 9), size(1501))
	e := answerOf(f, frame.ICMPError{Type: 3, Code: 4, MTU: 1500})
	return Case{
		Name: "size nat " + f.name + ", reply", Services: services(f.service(service.ModeNAT, frame.UDP, 9)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(f.there(service.ModeNAT, in, 9))},
			{In: atBackends(back), Out: []Frame{{Port: world.Backends, Packet: with(back, ttl(63)), Error: &e, From: f.vip}}},
		},
		Verdicts: Verdicts{packet.Forwarded: 1, packet.AnsweredTooBig: 1},
	}
}

// tunTooBigWithoutDF: an IPv4 packet that may be fragmented, in an IPv6 tunnel,
// which may not.
func tunTooBigWithoutDF() Case {
	return Case{
		Name: "size tun ipv4 in ipv6, without DF", Services: services(ip4.tunnel(ip6, frame.UDP, 1)),
		Steps: []Step{{In: atClients(with(ip4.request(frame.UDP), size(1461)))}}, Verdicts: Verdicts{packet.DropTooBig: 1},
	}
}
