package conformance

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// family6Cases: what the tables of IPv4 have, for IPv6 where it differs.
func family6Cases() []Case {
	return append(append(answers6(), gate6()...), kernel6(), reopens6(), noHop6())
}

func answers6() (all []Case) {
	unreachable, exceeded := answerOf(ip6, portUnreachable), answerOf(ip6, timeExceeded)
	answered := func(name string, svc world.Service, in frame.Packet, e frame.ICMPError, v packet.Verdict) {
		all = append(all, Case{
			Name: "ipv6 " + name, Services: services(svc), Verdicts: Verdicts{v: 1},
			Steps: []Step{{In: atClients(in), Out: []Frame{{Port: world.Clients, Packet: with(in, func(p *frame.Packet) { p.Padding = 0 }), Error: &e}}}},
		})
	}
	for mode := range service.ModeTun {
		mode++
		name := mode.String()
		svc, some := ip6.service(mode, frame.TCP), ip6.service(mode, frame.TCP, 1)
		if mode == service.ModeTun {
			some = ip6.tunnel(ip4, frame.TCP, 1)
		}
		answered("no backend, "+name, svc, ip6.request(frame.TCP), unreachable, packet.AnsweredNoBackend)
		answered("hop limit 1, "+name, some, with(ip6.request(frame.TCP), ttl(1)), exceeded, packet.AnsweredTTL)
	}
	none := ip6.service(service.ModeDR, frame.UDP)
	udp := ip6.request(frame.UDP)
	answered("no backend, padded", none, with(udp, padded), unreachable, packet.AnsweredNoBackend)
	answered("quote of 1232 bytes", none, with(udp, size(1232)), unreachable, packet.AnsweredNoBackend)
	answered("quote cut to 1232 bytes", none, with(udp, size(1233)), unreachable, packet.AnsweredNoBackend)
	answered("quote of extension headers", none, with(udp, extensions(frame.Options(frame.HopByHop, 16))), unreachable, packet.AnsweredNoBackend)
	return append(all, fullnatHops6())
}

// fullnatHops6: a backend hears from the local address.
func fullnatHops6() Case {
	in, back := ip6.request(frame.UDP), with(ip6.reply(service.ModeFullNAT, frame.UDP, 1), ttl(1))
	e := answerOf(ip6, timeExceeded)
	return Case{
		Name: "ipv6 hop limit 1, fullnat reply", Services: services(ip6.service(service.ModeFullNAT, frame.UDP, 1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(ip6.there(service.ModeFullNAT, in, 1))},
			{In: atBackends(back), Out: []Frame{{Port: world.Backends, Packet: back, Error: &e}}},
		},
		Verdicts: Verdicts{packet.Forwarded: 1, packet.AnsweredTTL: 1},
	}
}

func gate6() (all []Case) {
	svcs := services(ip6.service(service.ModeDR, frame.UDP, 1), ip6.service(service.ModeFullNAT, frame.TCP, 1))
	dropped := func(name string, v packet.Verdict, in ...Frame) {
		all = append(all, Case{Name: "ipv6 " + name, Services: svcs, Steps: []Step{{In: in}}, Verdicts: Verdicts{v: uint64(len(in))}})
	}
	udp := ip6.request(frame.UDP)
	src := func(addr string) frame.Packet { return with(udp, func(p *frame.Packet) { p.Src = addr }) }
	dst := func(mac frame.MAC) frame.Packet { return with(udp, func(p *frame.Packet) { p.DstMAC = mac }) }
	local := func(proto uint8, port uint16) frame.Packet {
		return with(ip6.reply(service.ModeFullNAT, proto, 1), func(p *frame.Packet) { p.DstPort = port })
	}
	whole := udp.Bytes()
	dropped("martian", packet.DropMartian, atClients(src("::1"), src("::"), src("ff02::1"), src("ff0e::7"), src("::ffff:10.0.0.1"), src(ip6.vip))...)
	dropped("foreign MAC", packet.DropForeignMAC, atClients(dst(frame.MAC{2, 0, 0, 0, 0, 99}), dst(frame.MAC{0x33, 0x33, 0, 0, 0, 1}))...)
	dropped("truncated", packet.DropTruncated, raw(world.Clients, whole[:len(whole)-1], whole[:53], whole[:14])...)
	dropped("own source", packet.DropOwnSource, atClients(src(ip6.lip), with(src(ip6.vip), func(p *frame.Packet) { p.Dst = "2001:db8:99::1" }))...)
	dropped("local address without flow", packet.DropNoFlow, atBackends(local(frame.TCP, 1024), local(frame.UDP, 65535))...)
	return all
}

// kernel6: neighbor discovery, ping, BGP and what is not addressed to a service.
func kernel6() Case {
	tcp := ip6.request(frame.TCP)
	to := func(p frame.Packet, addr string, port uint16) frame.Packet {
		p.Dst, p.DstPort = addr, port
		return p
	}
	icmp := func(kind byte, changes ...func(*frame.Packet)) frame.Packet {
		return with(with(ip6.request(frame.ICMPv6), payload([]byte{kind, 0, 0, 0, 0, 0, 0, 0})), changes...)
	}
	group := func(p *frame.Packet) {
		p.Src, p.Dst, p.DstMAC = "fe80::1", "ff02::1:ff00:10", frame.MAC{0x33, 0x33, 0xff, 0, 0, 0x10}
	}
	duplicate := func(p *frame.Packet) { group(p); p.Src = "::" }
	neighbour := atClients(icmp(133, group), icmp(135, group), icmp(135, duplicate), icmp(136), icmp(137), icmp(134, group))
	routing := atClients(to(tcp, ip6.vip, 179), with(tcp, group, proto(89)), with(tcp, group, proto(112)))
	other := atClients(icmp(128), icmp(129, group), to(tcp, ip6.vip, 22), to(tcp, "2001:db8:99::1", 443), with(tcp, flags(frame.ACK)), icmp(143, group))
	return Case{
		Name: "ipv6 kernel", Services: services(ip6.service(service.ModeDR, frame.TCP, 1)),
		Steps: []Step{{
			In: append(append(append([]Frame{}, neighbour...), routing...), other...),
			Kernel: append(append(kernel(packet.ClassNeighbour, neighbour), kernel(packet.ClassRouting, routing)...),
				kernel(packet.ClassOther, other)...),
		}},
		Verdicts: Verdicts{packet.Kernel: 15},
	}
}

// reopens6: SYN on TIME_WAIT, dr.
func reopens6() Case {
	syn, fin := ip6.request(frame.TCP), with(ip6.request(frame.TCP), flags(frame.FIN))
	ack := with(syn, flags(frame.ACK))
	there := func(p frame.Packet, n int) frame.Packet { return ip6.there(service.ModeDR, p, n) }
	return Case{
		Name: "ipv6 SYN on TIME_WAIT", Services: services(ip6.service(service.ModeDR, frame.TCP, 1, 2)),
		Steps: []Step{
			{In: atClients(syn, fin), Out: atBackends(there(syn, 2), there(fin, 2)), States: []flow.State{flow.StateTimeWait}},
			{In: atClients(ack), Out: atBackends(there(ack, 2)), States: []flow.State{flow.StateTimeWait}},
			{In: atClients(syn, ack), Out: atBackends(there(syn, 1), there(ack, 1)), States: []flow.State{flow.StateEstablished}},
		},
		Verdicts: Verdicts{packet.Forwarded: 5},
	}
}

func noHop6() Case {
	lost := ip6.service(service.ModeFullNAT, frame.UDP, 99)
	far := ip6.service(service.ModeDR, frame.TCP, 1)
	far.Backends[0].Addr = "fc00:172::1"
	return Case{
		Name: "ipv6 no way to the backend", Services: services(lost, far),
		Steps:    []Step{{In: atClients(ip6.request(frame.UDP), ip6.request(frame.TCP))}},
		Verdicts: Verdicts{packet.DropNoNeighbour: 1, packet.DropNoRoute: 1},
	}
}
