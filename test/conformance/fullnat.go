package conformance

import (
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/worker"
)

// fullnatCases: CIP,VIP becomes LIP,RIP, and back.
func fullnatCases() []Case {
	// both: a request there and a reply back, changed by the same.
	both := func(name string, proto uint8, changes ...func(*frame.Packet)) Case {
		in, back := with(request(proto), changes...), with(reply(proto, 1, Local1), changes...)
		return Case{
			Name: "fullnat " + name, Services: services(fullnat(proto, rip1)),
			Steps: []Step{
				{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1))},
				{In: atBackends(back), Out: atClients(replied(back))},
				{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1))},
			},
			Verdicts: Verdicts{packet.Forwarded: 3},
		}
	}
	return []Case{
		both("tcp", frame.TCP),
		both("udp", frame.UDP),
		both("TTL 2", frame.TCP, ttl(2)),
		both("odd payload", frame.UDP, payload([]byte("1"))),
		both("no payload", frame.UDP, payload(nil)),
		both("large", frame.TCP, payload(make([]byte, 1460))),
		both("padding is trimmed", frame.TCP, padded),
		both("wrong TCP checksum stays wrong", frame.TCP, sumError(0xfffe)),
		both("wrong UDP checksum stays wrong", frame.UDP, sumError(0x8000)),
		both("no UDP checksum", frame.UDP, noSum),
		both("IP options", frame.TCP, recordRoute),
		fullnatZeroSum(),
		fullnatTwoClients(),
		fullnatCounts(),
	}
}

// fullnatZeroSum: a UDP checksum that computes to 0 goes out as 0xffff. The
// reply's payload is chosen so: what it becomes is known, whatever the local port.
func fullnatZeroSum() Case {
	in, back := request(frame.UDP), reply(frame.UDP, 1, Local1)
	out := zeroSum(replied(back))
	back.Payload = out.Payload
	return Case{
		Name: "fullnat UDP checksum computed 0", Services: services(fullnat(frame.UDP, rip1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1))},
			{In: atBackends(back), Out: atClients(out)},
		},
		Verdicts: Verdicts{packet.Forwarded: 2},
	}
}

// fullnatTwoClients: the same client port of two flows to two backends, each
// with its own way back; the reply to a port of the other backend is nobody's.
func fullnatTwoClients() Case {
	a := request(frame.TCP)
	b := with(a, func(p *frame.Packet) { p.Src = "203.0.113.8" })
	backA, backB := reply(frame.TCP, 2, Local1), reply(frame.TCP, 1, Local2)
	outB := with(replied(backB), func(p *frame.Packet) { p.Dst = "203.0.113.8" })
	stray := with(reply(frame.TCP, 3, Local1), from(rport))
	return Case{
		Name: "fullnat two clients", Services: services(fullnat(frame.TCP, rip1, rip2)),
		Steps: []Step{
			{In: atClients(a, b), Out: atBackends(viaFullNAT(a, 2, Local1), viaFullNAT(b, 1, Local2))},
			{In: atBackends(backA, backB, stray), Out: atClients(replied(backA), outB)},
		},
		Verdicts: Verdicts{packet.Forwarded: 4, packet.DropNoFlow: 1},
	}
}

func fullnatCounts() Case {
	in, back := request(frame.TCP), reply(frame.TCP, 1, Local1)
	return Case{
		Name: "fullnat counters", Services: services(fullnat(frame.TCP, rip1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1))},
			{In: atBackends(back, back), Out: atClients(replied(back), replied(back))},
		},
		Verdicts: Verdicts{packet.Forwarded: 3},
		Loads: map[string]worker.Load{rip1: {
			Flows: 1, Active: 1, InPackets: 1, InBytes: 47, OutPackets: 2, OutBytes: 2 * 47,
		}},
	}
}
