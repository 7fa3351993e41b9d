package conformance

import (
	"github.com/gopacket/gopacket/layers"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/worker"
)

// drCases: only Ethernet addresses and TTL change; replies do not pass.
func drCases() []Case {
	one := func(name string, proto uint8, changes ...func(*frame.Packet)) Case {
		in := with(request(proto), changes...)
		return Case{
			Name: "dr " + name, Services: services(dr(proto, rip1)),
			Steps:    []Step{{In: atClients(in), Out: atBackends(viaDR(in, 1))}},
			Verdicts: Verdicts{packet.Forwarded: 1},
		}
	}
	return []Case{
		one("tcp", frame.TCP),
		one("udp", frame.UDP),
		one("udp without payload", frame.UDP, payload(nil)),
		one("TTL 2", frame.UDP, ttl(2)),
		one("TTL 255", frame.UDP, ttl(255)),
		one("DF", frame.TCP, dontFragment),
		one("padding is trimmed", frame.TCP, padded),
		one("wrong TCP checksum stays wrong", frame.TCP, sumError(0x1234)),
		one("wrong UDP checksum stays wrong", frame.UDP, sumError(1)),
		one("no UDP checksum", frame.UDP, noSum),
		one("UDP checksum 0xffff", frame.UDP, func(p *frame.Packet) { *p = zeroSum(*p) }),
		one("IP options", frame.UDP, recordRoute),
		one("TCP options", frame.TCP, func(p *frame.Packet) {
			p.TCPOptions = []layers.TCPOption{{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}}}
		}),
		one("as large as the MTU", frame.UDP, payload(make([]byte, 1472)), dontFragment),
		one("SYN+ACK opens", frame.TCP, flags(frame.SYN|frame.ACK)),
		one("SYN+FIN opens", frame.TCP, flags(frame.SYN|frame.FIN)),
		one("to the VRRP address", frame.TCP, func(p *frame.Packet) { p.DstMAC = frame.MAC{0, 0, 0x5e, 0, 1, 9} }),
		drCounts(),
		drBurst(),
	}
}

func recordRoute(p *frame.Packet) {
	p.Options = []layers.IPv4Option{{OptionType: 7, OptionLength: 7, OptionData: []byte{4, 0, 0, 0, 0}}, {OptionType: 0}}
}

// drCounts: packets and bytes are those of IP packets, padding excluded.
func drCounts() Case {
	in := with(request(frame.UDP), padded)
	return Case{
		Name: "dr counters", Services: services(dr(frame.UDP, rip1)),
		Steps: []Step{
			{In: atClients(in, in), Out: atBackends(viaDR(in, 1), viaDR(in, 1))},
			{In: atClients(in), Out: atBackends(viaDR(in, 1))},
		},
		Verdicts: Verdicts{packet.Forwarded: 3},
		Loads:    map[string]worker.Load{rip1: {Flows: 1, Inactive: 1, InPackets: 3, InBytes: 3 * (20 + 8 + 7)}},
	}
}

// drBurst: the packets of a new flow that arrive together stay together, beside
// other flows'.
func drBurst() Case {
	syn := request(frame.TCP)
	data := with(syn, flags(frame.ACK))
	other := with(syn, from(cport+1))
	return Case{
		Name: "dr two flows in a burst", Services: services(dr(frame.TCP, rip1, rip2)),
		Steps: []Step{{
			In:  atClients(syn, other, data),
			Out: atBackends(viaDR(syn, 2), viaDR(other, 1), viaDR(data, 2)),
		}},
		Verdicts: Verdicts{packet.Forwarded: 3},
		Loads: map[string]worker.Load{
			rip1: {Flows: 1, Active: 1, InPackets: 1, InBytes: 47},
			rip2: {Flows: 1, Active: 1, InPackets: 2, InBytes: 94},
		},
	}
}
