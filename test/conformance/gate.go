package conformance

import (
	"github.com/gopacket/gopacket/layers"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// gateCases: frames that nobody gets.
func gateCases() []Case {
	svcs := services(dr(frame.UDP, rip1), fullnat(frame.TCP, rip1))
	dropped := func(name string, v packet.Verdict, in ...Frame) Case {
		return Case{Name: name, Services: svcs, Steps: []Step{{In: in}}, Verdicts: Verdicts{v: uint64(len(in))}}
	}
	udp, tcp := request(frame.UDP), request(frame.TCP)
	src := func(addr string) frame.Packet { return with(udp, func(p *frame.Packet) { p.Src = addr }) }
	dst := func(mac frame.MAC) frame.Packet { return with(udp, func(p *frame.Packet) { p.DstMAC = mac }) }
	tagged := append(append(udp.Bytes()[:12:12], 0x81, 0, 0, 7), udp.Bytes()[12:]...)
	badSum := udp.Bytes()
	badSum[24] ^= 0x10
	whole := udp.Bytes()
	return []Case{
		dropped("foreign MAC", packet.DropForeignMAC, atClients(dst(frame.MAC{2, 0, 0, 0, 0, 99}), dst(world.PortMAC(world.Backends)))...),
		dropped("broadcast MAC", packet.DropForeignMAC, atClients(dst(frame.MAC{255, 255, 255, 255, 255, 255}))...),
		dropped("VLAN", packet.DropUnknownVLAN, raw(world.Clients, tagged)...),
		dropped("martian", packet.DropMartian, atClients(src("127.0.0.1"), src("224.1.1.1"), src("255.255.255.255"), src("0.0.0.0"), src(vip))...),
		dropped("truncated", packet.DropTruncated, raw(world.Clients, whole[:len(whole)-1], whole[:30], whole[:13])...),
		dropped("bad IP checksum", packet.DropBadIPChecksum, raw(world.Clients, badSum)...),
		dropped("source route", packet.DropSourceRoute, atClients(with(udp, func(p *frame.Packet) {
			p.Options = []layers.IPv4Option{{OptionType: 131, OptionLength: 3, OptionData: []byte{4}}}
		}))...),
		dropped("own source", packet.DropOwnSource, atClients(src(lip), with(src(vip), func(p *frame.Packet) { p.Dst = "203.0.113.99" }))...),
		dropped("fragments to a service", packet.DropFragment, atClients(
			with(udp, func(p *frame.Packet) { p.MF = true }),
			with(udp, func(p *frame.Packet) { p.Offset = 2 }),
			with(tcp, func(p *frame.Packet) { p.Offset, p.MF = 2, true }))...),
		dropped("fragment to a local address", packet.DropFragment, atBackends(
			with(reply(frame.UDP, 1, 40000), func(p *frame.Packet) { p.MF = true }))...),
		dropped("local address without flow", packet.DropNoFlow, atBackends(
			reply(frame.TCP, 1, 1024), reply(frame.TCP, 1, 65535), reply(frame.UDP, 1, 40000),
			with(reply(frame.TCP, 1, 40000), flags(frame.SYN)))...),
		noRoute(),
	}
}

func noRoute() Case {
	return Case{
		Name: "no route to the backend", Services: services(dr(frame.UDP, "172.16.0.1")),
		Steps:    []Step{{In: atClients(request(frame.UDP))}},
		Verdicts: Verdicts{packet.DropNoRoute: 1},
	}
}
