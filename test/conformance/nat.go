package conformance

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// natCases: what is particular to flows whose replies pass the gateway, which in
// nat are addressed to the client.
func natCases() (all []Case) {
	for _, f := range families {
		all = append(all, replyInUse(f), natReplyTTL(f), natReplyOfNobody(f), natWeights(f))
		for _, mode := range natModes {
			all = append(all, removedNAT(f, mode), natCloses(f, mode), natReopens(f, mode))
		}
	}
	return all
}

// replyInUse: two services have one backend, and one client port talks to
// both: the second flow's replies could not be told from the first's.
func replyInUse(f family) Case {
	first := f.service(service.ModeNAT, frame.TCP, 1)
	second := first
	second.Port = vport + 1
	in := f.request(frame.TCP)
	other := with(in, func(p *frame.Packet) { p.DstPort = vport + 1 })
	next := with(other, from(cport+1))
	back := f.reply(service.ModeNAT, frame.TCP, 1)
	return Case{
		Name: "nat " + f.name + ", reply in use", Services: services(first, second),
		Steps: []Step{
			{
				In:  atClients(in, other, next, other),
				Out: atBackends(f.there(service.ModeNAT, in, 1), f.there(service.ModeNAT, next, 1)),
			},
			{In: atBackends(back), Out: atClients(f.back(back))},
		},
		Verdicts: Verdicts{packet.Forwarded: 3, packet.DropReplyInUse: 2},
	}
}

// natReplyTTL: the backend hears from the VIP, not from its client, that the
// reply has come too far.
func natReplyTTL(f family) Case {
	in, back := f.request(frame.TCP), with(f.reply(service.ModeNAT, frame.TCP, 1), ttl(1))
	expired := answerOf(f, timeExceeded)
	return Case{
		Name: "nat " + f.name + ", reply with TTL 1", Services: services(f.service(service.ModeNAT, frame.TCP, 1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(f.there(service.ModeNAT, in, 1))},
			{In: atBackends(back), Out: []Frame{{Port: world.Backends, Packet: back, Error: &expired, From: f.vip}}},
		},
		Verdicts: Verdicts{packet.Forwarded: 1, packet.AnsweredTTL: 1},
	}
}

// answerOf is the gateway's error of IPv4 in the family's own numbers.
func answerOf(f family, e frame.ICMPError) frame.ICMPError {
	if f.name == ip4.name {
		return e
	}
	switch {
	case e.Type == 11:
		return frame.ICMPError{Type: 3, Code: 0}
	case e.Code == 3:
		return frame.ICMPError{Type: 1, Code: 4}
	}
	return frame.ICMPError{Type: 2, Code: 0, MTU: e.MTU}
}

// natReplyOfNobody: what a backend sends to its client's other ports or from its
// own others is a stranger's: the kernel's to route.
func natReplyOfNobody(f family) Case {
	in, back := f.request(frame.UDP), f.reply(service.ModeNAT, frame.UDP, 1)
	strays := atBackends(
		with(back, func(p *frame.Packet) { p.DstPort++ }), with(back, from(rport+1)),
		with(back, func(p *frame.Packet) { p.Src = f.rip(2) }), with(back, func(p *frame.Packet) { p.Proto = frame.TCP }))
	return Case{
		Name: "nat " + f.name + ", no reply", Services: services(f.service(service.ModeNAT, frame.UDP, 1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(f.there(service.ModeNAT, in, 1))},
			{In: strays, Kernel: kernel(packet.ClassOther, strays)},
		},
		Verdicts: Verdicts{packet.Forwarded: 1, packet.Kernel: 4},
	}
}

// natWeights: a backend of weight 0 gets nothing new and keeps what it has.
func natWeights(f family) Case {
	svc := f.service(service.ModeNAT, frame.TCP, 1, 2)
	idle := f.service(service.ModeNAT, frame.TCP, 1, 2)
	idle.Backends[1].Idle = true
	all := f.service(service.ModeNAT, frame.TCP, 1, 2)
	all.Backends[0].Idle, all.Backends[1].Idle = true, true
	in, back, ack := f.request(frame.TCP), f.reply(service.ModeNAT, frame.TCP, 2), with(f.request(frame.TCP), flags(frame.ACK))
	next, refused := with(in, from(cport+1)), with(in, from(cport+2))
	unreachable := answerOf(f, portUnreachable)
	return Case{
		Name: "nat " + f.name + ", weight 0 drains", Services: services(svc),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(f.there(service.ModeNAT, in, 2))},
			{Configure: change(idle), In: atClients(ack, next), Out: atBackends(f.there(service.ModeNAT, ack, 2), f.there(service.ModeNAT, next, 1))},
			{In: atBackends(back), Out: atClients(f.back(back))},
			{Configure: change(all), In: atClients(refused, ack), Out: append(atBackends(f.there(service.ModeNAT, ack, 2)), Frame{Port: world.Clients, Packet: refused, Error: &unreachable})},
		},
		Verdicts: Verdicts{packet.Forwarded: 5, packet.AnsweredNoBackend: 1},
	}
}

// removedNAT: a removed backend's requests are dropped, its replies translated,
// until it is added again.
func removedNAT(f family, mode service.Mode) Case {
	in, back := f.request(frame.UDP), f.reply(mode, frame.UDP, 1)
	there, here := atBackends(f.there(mode, in, 1)), atClients(f.back(back))
	return Case{
		Name: mode.String() + " " + f.name + ", backend removed", Services: services(f.service(mode, frame.UDP, 1)),
		Steps: []Step{
			{In: atClients(in), Out: there},
			{Configure: change(f.service(mode, frame.UDP)), In: append(atClients(in), atBackends(back)...), Out: here},
			{Configure: change(), In: append(atClients(in), atBackends(back)...), Out: here},
			{Configure: change(f.service(mode, frame.UDP, 1)), In: append(atClients(in), atBackends(back)...), Out: append(there, here...)},
		},
		Verdicts: Verdicts{packet.Forwarded: 5, packet.DropBackendGone: 2},
	}
}

// natCloses: both FINs in either order lead to TIME_WAIT, and the backend's RST
// closes what is opening.
func natCloses(f family, mode service.Mode) Case {
	c := Case{Name: mode.String() + " " + f.name + ", states", Services: services(f.service(mode, frame.TCP, 1)), Verdicts: Verdicts{}}
	for _, s := range []segment{
		{frame.SYN, false, flow.StateSynReceived},
		{frame.RST, false, flow.StateSynReceived},
		{frame.SYN | frame.ACK, true, flow.StateSynReceived},
		{frame.ACK, false, flow.StateEstablished},
		{frame.ACK, true, flow.StateEstablished},
		{frame.FIN | frame.ACK, false, flow.StateCloseWait},
		{frame.FIN | frame.ACK, true, flow.StateTimeWait},
		{frame.ACK, false, flow.StateTimeWait},
	} {
		c.Steps = append(c.Steps, f.segment(mode, s, 1))
		c.Verdicts[packet.Forwarded]++
	}
	return c
}

// segment is the step in which it passes.
func (f family) segment(mode service.Mode, s segment, n int) Step {
	if s.reply {
		back := with(f.reply(mode, frame.TCP, n), flags(s.flags))
		return Step{In: atBackends(back), Out: atClients(f.back(back)), States: []flow.State{s.state}}
	}
	in := with(f.request(frame.TCP), flags(s.flags))
	return Step{In: atClients(in), Out: atBackends(f.there(mode, in, n)), States: []flow.State{s.state}}
}

// natReopens: a SYN on TIME_WAIT is scheduled anew, and the old backend's late
// segments are nobody's.
func natReopens(f family, mode service.Mode) Case {
	syn := f.request(frame.TCP)
	there := f.there(mode, syn, 1)
	if mode == service.ModeFullNAT {
		there.SrcPort = Local2
	}
	late := atBackends(with(f.reply(mode, frame.TCP, 2), flags(frame.ACK)))
	c := Case{
		Name: mode.String() + " " + f.name + ", SYN on TIME_WAIT", Services: services(f.service(mode, frame.TCP, 1, 2)),
		Steps: []Step{
			f.segment(mode, segment{frame.SYN, false, flow.StateSynReceived}, 2),
			f.segment(mode, segment{frame.ACK, false, flow.StateEstablished}, 2),
			f.segment(mode, segment{frame.FIN, true, flow.StateFinWait}, 2),
			f.segment(mode, segment{frame.FIN, false, flow.StateTimeWait}, 2),
			{In: atClients(syn), Out: atBackends(there), States: []flow.State{flow.StateSynReceived}},
			{In: late},
		},
		Verdicts: Verdicts{packet.Forwarded: 5, packet.DropNoFlow: 1},
	}
	if mode == service.ModeNAT { // addressed to the client, it is the kernel's to route
		c.Steps[5].Kernel = kernel(packet.ClassOther, late)
		c.Verdicts = Verdicts{packet.Forwarded: 5, packet.Kernel: 1}
	}
	return c
}
