package conformance

import (
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
	"github.com/sluice-lb/sluice/worker"
)

// encapsulated is a client's packet in a tunnel to backend n: TTL decremented
// and copied out, TOS copied, DF copied from IPv4 to IPv4; the outer ID is 0
// with DF, and any without.
func encapsulated(p frame.Packet, outer family, n int) Frame {
	inner := viaDR(p, byte(n))
	out := frame.Packet{
		SrcMAC: inner.SrcMAC, DstMAC: inner.DstMAC, Src: outer.lip, Dst: outer.rip(n),
		Proto: frame.IPinIP, TTL: inner.TTL, TOS: inner.TOS, DF: inner.DF, Payload: inner.IP(),
	}
	if inner.IsIPv6() {
		out.Proto, out.DF = frame.IPv6, false
	}
	return Frame{Port: world.Backends, Packet: out, AnyID: outer.name == ip4.name && !out.DF}
}

// tunCases: 4in4, 6in6, 4in6, 6in4.
func tunCases() (all []Case) {
	kinds := []struct {
		name    string
		changes []func(*frame.Packet)
	}{
		{"", nil},
		{", no payload", []func(*frame.Packet){payload(nil)}},
		{", DF", []func(*frame.Packet){dontFragment}},
		{", TTL 2", []func(*frame.Packet){ttl(2)}},
		{", TTL 255 and TOS 255", []func(*frame.Packet){ttl(255), func(p *frame.Packet) { p.TOS = 255 }}},
		{", padded", []func(*frame.Packet){padded, payload(nil)}},
		{", wrong checksum stays wrong", []func(*frame.Packet){sumError(7)}},
		{", tagged", []func(*frame.Packet){func(p *frame.Packet) { p.VLAN = world.VLAN21 }}},
	}
	each(func(name string, f family, proto uint8) {
		for _, outer := range families {
			for _, kind := range kinds {
				in := with(f.request(proto), kind.changes...)
				out := encapsulated(with(in, func(p *frame.Packet) { p.VLAN = 0 }), outer, 1)
				all = append(all, Case{
					Name: "tun " + name + " in " + outer.name + kind.name, Services: services(f.tunnel(outer, proto, 1)),
					Steps: []Step{{In: atClients(in), Out: []Frame{out}}}, Verdicts: Verdicts{packet.Forwarded: 1},
				})
			}
		}
	})
	return append(all, tunOptions(), tunExtensions(), tunCounts(), tunMixed())
}

func tunOptions() Case {
	in := with(ip4.request(frame.UDP), recordRoute)
	return Case{
		Name: "tun IP options stay inside", Services: services(ip4.tunnel(ip6, frame.UDP, 2)),
		Steps: []Step{{In: atClients(in), Out: []Frame{encapsulated(in, ip6, 2)}}}, Verdicts: Verdicts{packet.Forwarded: 1},
	}
}

func tunExtensions() Case {
	in := with(ip6.request(frame.TCP), extensions(frame.Options(frame.HopByHop, 16), frame.Options(frame.Destination, 8)))
	return Case{
		Name: "tun extension headers stay inside", Services: services(ip6.tunnel(ip4, frame.TCP, 2)),
		Steps: []Step{{In: atClients(in), Out: []Frame{encapsulated(in, ip4, 2)}}}, Verdicts: Verdicts{packet.Forwarded: 1},
	}
}

// tunCounts: bytes are those of the packet as it came.
func tunCounts() Case {
	in := with(ip4.request(frame.UDP), padded)
	return Case{
		Name: "tun counters", Services: services(ip4.tunnel(ip6, frame.UDP, 1)),
		Steps:    []Step{{In: atClients(in, in), Out: []Frame{encapsulated(in, ip6, 1), encapsulated(in, ip6, 1)}}},
		Verdicts: Verdicts{packet.Forwarded: 2},
		Loads:    map[string]worker.Load{ip6.rip(1): {Flows: 1, Inactive: 1, InPackets: 2, InBytes: 2 * uint64(len(in.IP()))}},
	}
}

// tunMixed: backends of both families in one service, one of them in a VLAN.
func tunMixed() Case {
	svc := ip4.tunnel(ip4, frame.TCP, 1)
	svc.Backends = append(svc.Backends, ip4.tunnel(ip6, frame.TCP, 21).Backends...)
	in := ip4.request(frame.TCP)
	other := with(in, from(cport+1))
	there := encapsulated(in, ip6, 21)
	there.Packet.VLAN = world.VLAN21
	return Case{
		Name: "tun backends of both families", Services: services(svc),
		Steps:    []Step{{In: atClients(in, other), Out: []Frame{there, encapsulated(other, ip4, 1)}}},
		Verdicts: Verdicts{packet.Forwarded: 2},
	}
}

func extensions(list ...frame.Extension) func(*frame.Packet) {
	return func(p *frame.Packet) { p.Extensions = list }
}
