package conformance

import (
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// The errors of RFC 792.
var (
	portUnreachable = frame.ICMPError{Type: 3, Code: 3}
	timeExceeded    = frame.ICMPError{Type: 11, Code: 0}
	tooBig          = frame.ICMPError{Type: 3, Code: 4, MTU: world.SmallMTU}
)

// errorCases: what the gateway answers itself, from the packet's destination,
// out where it came in.
func errorCases() []Case {
	// answered: the packet is answered, and quoted as quoted.
	answered := func(name string, svc world.Service, in, quoted frame.Packet, e frame.ICMPError, v packet.Verdict) Case {
		return Case{
			Name: name, Services: services(svc),
			Steps:    []Step{{In: atClients(in), Out: []Frame{{Port: world.Clients, Packet: quoted, Error: &e}}}},
			Verdicts: Verdicts{v: 1},
		}
	}
	asIs := func(name string, svc world.Service, in frame.Packet, e frame.ICMPError, v packet.Verdict) Case {
		quoted := in
		quoted.Padding = 0
		return answered(name, svc, in, quoted, e, v)
	}
	tcp, udp := request(frame.TCP), request(frame.UDP)
	bytes := func(ip int) func(*frame.Packet) { return payload(make([]byte, ip-28)) } // of UDP
	none, idle := packet.AnsweredNoBackend, dr(frame.TCP, rip1)
	idle.Backends[0].Idle = true
	big := func(ip int) frame.Packet { return with(udp, bytes(ip), dontFragment) }
	return []Case{
		asIs("no backend, tcp", dr(frame.TCP), tcp, portUnreachable, none),
		asIs("no backend, udp", dr(frame.UDP), udp, portUnreachable, none),
		asIs("no backend, fullnat", fullnat(frame.TCP), tcp, portUnreachable, none),
		asIs("no backend of weight above 0", idle, tcp, portUnreachable, none),
		asIs("no backend, TTL 1", dr(frame.UDP), with(udp, ttl(1)), portUnreachable, none),
		asIs("no backend, padded", dr(frame.UDP), with(udp, padded), portUnreachable, none),
		asIs("no backend, IP options", dr(frame.UDP), with(udp, recordRoute), portUnreachable, none),
		asIs("quote of 548 bytes", dr(frame.UDP), with(udp, bytes(548)), portUnreachable, none),
		asIs("quote cut to 548 bytes", dr(frame.UDP), with(udp, bytes(549)), portUnreachable, none),
		asIs("quote of a full frame", dr(frame.UDP), with(udp, bytes(1500)), portUnreachable, none),
		asIs("TTL 1, dr", dr(frame.TCP, rip1), with(tcp, ttl(1)), timeExceeded, packet.AnsweredTTL),
		asIs("TTL 1, fullnat", fullnat(frame.UDP, rip1), with(udp, ttl(1)), timeExceeded, packet.AnsweredTTL),
		asIs("TTL 1 before too big", dr(frame.UDP, rip8), with(big(1500), ttl(1)), timeExceeded, packet.AnsweredTTL),
		answered("too big, dr", dr(frame.UDP, rip8), big(1500), with(big(1500), ttl(63)), tooBig, packet.AnsweredTooBig),
		answered("too big by one, fullnat", fullnat(frame.UDP, rip8), big(1001), with(big(1001), ttl(63)), tooBig, packet.AnsweredTooBig),
		justFits(), tooBigWithoutDF(), ttlZero(), replyTTL(),
	}
}

func justFits() Case {
	in := with(request(frame.UDP), payload(make([]byte, world.SmallMTU-28)), dontFragment, padded)
	return Case{
		Name: "as large as the next hop takes", Services: services(dr(frame.UDP, rip8)),
		Steps:    []Step{{In: atClients(in), Out: atBackends(viaDR(in, 8))}},
		Verdicts: Verdicts{packet.Forwarded: 1},
	}
}

// tooBigWithoutDF: Linux would fragment; Sluice does not.
func tooBigWithoutDF() Case {
	in := with(request(frame.UDP), payload(make([]byte, world.SmallMTU-27)))
	return Case{
		Name: "too big without DF", Services: services(dr(frame.UDP, rip8)),
		Steps: []Step{{In: atClients(in)}}, Verdicts: Verdicts{packet.DropTooBig: 1},
	}
}

// ttlZero: frame builds 64 from TTL 0, so the byte is patched.
func ttlZero() Case {
	in := setTTL(request(frame.UDP).Bytes(), 0)
	return Case{
		Name: "TTL 0", Services: services(dr(frame.UDP, rip1)),
		Steps:    []Step{{In: raw(world.Clients, in), Out: raw(world.Clients, timeExceeded.Answer(in))}},
		Verdicts: Verdicts{packet.AnsweredTTL: 1},
	}
}

// setTTL patches a frame from TTL 64 and its checksum.
func setTTL(b []byte, ttl byte) []byte {
	b[22] = ttl
	b[24], b[25] = 0, 0
	sum := ^frame.Sum(b[14:34], 0)
	b[24], b[25] = byte(sum>>8), byte(sum)
	return b
}

// replyTTL: a backend whose reply has come too far hears it from the local address.
func replyTTL() Case {
	in, back := request(frame.TCP), with(reply(frame.TCP, 1, Local1), ttl(1))
	return Case{
		Name: "TTL 1, fullnat reply", Services: services(fullnat(frame.TCP, rip1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1))},
			{In: atBackends(back), Out: []Frame{{Port: world.Backends, Packet: back, Error: &timeExceeded}}},
		},
		Verdicts: Verdicts{packet.Forwarded: 1, packet.AnsweredTTL: 1},
	}
}

func raw(port int, frames ...[]byte) (out []Frame) {
	for _, b := range frames {
		out = append(out, Frame{Port: port, Raw: b})
	}
	return out
}
