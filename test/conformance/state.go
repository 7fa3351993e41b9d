package conformance

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
	"github.com/sluice-lb/sluice/worker"
)

// segment is a TCP segment and the state in which it leaves its flow.
type segment struct {
	flags uint8
	reply bool
	state flow.State
}

// stateCases: IPVS's states, as packets in both directions drive them.
func stateCases() []Case {
	return []Case{
		drStates("opens and closes", 1, 0,
			segment{frame.SYN, false, flow.StateSynReceived},
			segment{frame.ACK, false, flow.StateEstablished},
			segment{frame.SYN, false, flow.StateEstablished},
			segment{frame.FIN | frame.ACK, false, flow.StateFinWait},
			segment{frame.ACK, false, flow.StateFinWait}),
		drStates("client's RST before the handshake is through", 0, 1,
			segment{frame.SYN, false, flow.StateSynReceived},
			segment{frame.RST, false, flow.StateSynReceived}),
		drStates("client's RST", 1, 0,
			segment{frame.SYN, false, flow.StateSynReceived},
			segment{frame.ACK, false, flow.StateEstablished},
			segment{frame.RST | frame.ACK, false, flow.StateClose}),
		drStates("no flag", 1, 0,
			segment{frame.SYN, false, flow.StateSynReceived},
			segment{0, false, flow.StateClose}),
		fullnatStates("client closes",
			segment{frame.SYN, false, flow.StateSynReceived},
			segment{frame.SYN | frame.ACK, true, flow.StateSynReceived},
			segment{frame.ACK, false, flow.StateEstablished},
			segment{frame.FIN | frame.ACK, false, flow.StateCloseWait},
			segment{frame.FIN | frame.ACK, true, flow.StateTimeWait},
			segment{frame.ACK, false, flow.StateTimeWait}),
		fullnatStates("backend closes",
			segment{frame.SYN, false, flow.StateSynReceived},
			segment{frame.SYN | frame.ACK, true, flow.StateSynReceived},
			segment{frame.ACK, false, flow.StateEstablished},
			segment{frame.FIN | frame.ACK, true, flow.StateFinWait},
			segment{frame.FIN | frame.ACK, false, flow.StateTimeWait}),
		fullnatStates("backend refuses",
			segment{frame.SYN, false, flow.StateSynReceived},
			segment{frame.RST | frame.ACK, true, flow.StateClose}),
		anew("TIME_WAIT", frame.FIN),
		anewAfterRST(),
		backendsSYN(), lateBesideSYN(),
		timeWaitKeepsData(),
	}
}

// drStates sends segments through dr and counts the flow as inactive or active.
func drStates(name string, inactive, active uint64, segments ...segment) Case {
	c := Case{Name: "dr state " + name, Services: services(dr(frame.TCP, rip1))}
	for _, s := range segments {
		in := with(request(frame.TCP), flags(s.flags))
		c.Steps = append(c.Steps, Step{In: atClients(in), Out: atBackends(viaDR(in, 1)), States: []flow.State{s.state}})
	}
	n := uint64(len(segments))
	c.Verdicts = Verdicts{packet.Forwarded: n}
	c.Loads = map[string]worker.Load{rip1: {Flows: 1, Active: active, Inactive: inactive, InPackets: n, InBytes: 47 * n}}
	return c
}

func fullnatStates(name string, segments ...segment) Case {
	c := Case{Name: "fullnat state " + name, Services: services(fullnat(frame.TCP, rip1)),
		Verdicts: Verdicts{packet.Forwarded: uint64(len(segments))}}
	for _, s := range segments {
		in := with(request(frame.TCP), flags(s.flags))
		step := Step{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1)), States: []flow.State{s.state}}
		if s.reply {
			back := with(reply(frame.TCP, 1, Local1), flags(s.flags))
			step.In, step.Out = atBackends(back), atClients(replied(back))
		}
		c.Steps = append(c.Steps, step)
	}
	return c
}

// anew: a SYN on a connection that is over is scheduled anew: to the next
// backend, in a flow of its own.
func anew(name string, end uint8) Case {
	syn := request(frame.TCP)
	last := with(syn, flags(end))
	return Case{
		Name: "SYN on " + name + " is scheduled anew", Services: services(dr(frame.TCP, rip1, rip2)),
		Steps: []Step{
			{In: atClients(syn), Out: atBackends(viaDR(syn, 2)), States: []flow.State{flow.StateSynReceived}},
			{In: atClients(last), Out: atBackends(viaDR(last, 2)), States: []flow.State{flow.StateTimeWait}},
			{In: atClients(syn, syn), Out: atBackends(viaDR(syn, 1), viaDR(syn, 1)), States: []flow.State{flow.StateSynReceived}},
		},
		Verdicts: Verdicts{packet.Forwarded: 4},
		Loads: map[string]worker.Load{
			rip1: {Flows: 1, Active: 1, InPackets: 2, InBytes: 94},
			rip2: {Flows: 1, InPackets: 2, InBytes: 94},
		},
	}
}

// anewAfterRST: the same in fullnat: the old local port's replies are nobody's.
func anewAfterRST() Case {
	syn, rst := request(frame.TCP), with(reply(frame.TCP, 2, Local1), flags(frame.RST|frame.ACK))
	late := with(rst, func(p *frame.Packet) { p.Flags = frame.ACK })
	return Case{
		Name: "SYN on CLOSE is scheduled anew", Services: services(fullnat(frame.TCP, rip1, rip2)),
		Steps: []Step{
			{In: atClients(syn), Out: atBackends(viaFullNAT(syn, 2, Local1))},
			{In: atBackends(rst), Out: atClients(replied(rst)), States: []flow.State{flow.StateClose}},
			{In: atClients(syn), Out: atBackends(viaFullNAT(syn, 1, Local2)), States: []flow.State{flow.StateSynReceived}},
			{In: atBackends(late)},
		},
		Verdicts: Verdicts{packet.Forwarded: 3, packet.DropNoFlow: 1},
	}
}

// backendsSYN: a SYN of the backend opens nothing anew, it is a reply.
func backendsSYN() Case {
	in, rst := request(frame.TCP), with(reply(frame.TCP, 1, Local1), flags(frame.RST))
	syn := with(rst, flags(frame.SYN))
	return Case{
		Name: "backend's SYN on CLOSE is a reply", Services: services(fullnat(frame.TCP, rip1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1))},
			{In: atBackends(rst), Out: atClients(replied(rst)), States: []flow.State{flow.StateClose}},
			{In: atBackends(syn), Out: atClients(replied(syn)), States: []flow.State{flow.StateSynSent}},
		},
		Verdicts: Verdicts{packet.Forwarded: 3},
	}
}

// lateBesideSYN: a late reply arrives in one burst with the SYN that replaces
// its flow, whose entry the new flow takes: it must not be translated as that one's.
func lateBesideSYN() Case {
	in, rst := request(frame.TCP), with(reply(frame.TCP, 2, Local1), flags(frame.RST))
	late := with(rst, flags(frame.ACK), func(p *frame.Packet) { p.DstMAC = world.PortMAC(world.Clients) })
	return Case{
		Name: "late reply beside the SYN that replaces its flow", Services: services(fullnat(frame.TCP, rip1, rip2)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(viaFullNAT(in, 2, Local1))},
			{In: atBackends(rst), Out: atClients(replied(rst)), States: []flow.State{flow.StateClose}},
			{In: atClients(in, late), Out: atBackends(viaFullNAT(in, 1, Local2)), States: []flow.State{flow.StateSynReceived}},
		},
		Verdicts: Verdicts{packet.Forwarded: 3, packet.DropNoFlow: 1},
	}
}

// timeWaitKeepsData: all but a SYN of the client stays with the old flow.
func timeWaitKeepsData() Case {
	syn, fin := request(frame.TCP), with(request(frame.TCP), flags(frame.FIN))
	var in, out []frame.Packet
	for _, f := range []uint8{frame.ACK, frame.SYN | frame.ACK, frame.FIN | frame.ACK} {
		p := with(syn, flags(f))
		in, out = append(in, p), append(out, viaDR(p, 2))
	}
	c := Case{
		Name: "other segments on TIME_WAIT stay", Services: services(dr(frame.TCP, rip1, rip2)),
		Steps:    []Step{{In: atClients(syn, fin), Out: atBackends(viaDR(syn, 2), viaDR(fin, 2)), States: []flow.State{flow.StateTimeWait}}},
		Verdicts: Verdicts{packet.Forwarded: uint64(2 + len(in))},
	}
	c.Steps = append(c.Steps, Step{In: frames(world.Clients, in), Out: frames(world.Backends, out)})
	return c
}
