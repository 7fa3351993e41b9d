package conformance

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
	"github.com/sluice-lb/sluice/worker"
)

// backendCases: who is chosen, and what becomes of flows when backends change.
func backendCases() []Case {
	wrr := dr(frame.UDP, rip1, rip2, rip3)
	wrr.Sched = "wrr"
	for i := range wrr.Backends {
		wrr.Backends[i].Weight = uint32(i + 1)
	}
	return []Case{
		order("rr: newest first", dr(frame.TCP, rip1, rip2, rip3), 3, 2, 1, 3, 2, 1, 3),
		order("wrr: first round short", wrr, 3, 2, 1, 3, 3, 2, 3, 2, 1, 3, 3, 2, 3, 2, 1),
		order("fullnat has dr's order", fullnat(frame.UDP, rip1, rip2), 2, 1, 2, 1),
		gone(), goneFullNAT(), goneInTimeWait(), drained(), added(), serviceGone(), resolvedLater(), moved(),
	}
}

// order opens a flow after the other and looks where they go.
func order(name string, svc world.Service, backends ...byte) Case {
	c := Case{Name: name, Services: services(svc), Verdicts: Verdicts{packet.Forwarded: uint64(len(backends))}}
	var in, out []frame.Packet
	for i, n := range backends {
		p := with(request(svc.Proto), from(cport+uint16(i)))
		in = append(in, p)
		if svc.Locals == nil {
			out = append(out, viaDR(p, n))
		} else {
			out = append(out, viaFullNAT(p, n, Local1+uint16(i)))
		}
	}
	half := len(in) / 2 // in two bursts: the cursor survives
	c.Steps = []Step{
		{In: atClients(in[:half]...), Out: atBackends(out[:half]...)},
		{In: atClients(in[half:]...), Out: atBackends(out[half:]...)},
	}
	return c
}

// gone: a removed backend's flows are dropped silently, SYNs too, and live
// again when it is added again.
func gone() Case {
	syn, ack := request(frame.TCP), with(request(frame.TCP), flags(frame.ACK))
	other := with(syn, from(cport+1))
	return Case{
		Name: "backend removed and added again", Services: services(dr(frame.TCP, rip2, rip1)),
		Steps: []Step{
			{In: atClients(syn), Out: atBackends(viaDR(syn, 1))},
			{
				Configure: change(dr(frame.TCP, rip2)), In: atClients(ack, syn, other),
				Out: atBackends(viaDR(other, 2)), States: []flow.State{flow.StateSynReceived, flow.StateSynReceived},
			},
			{Configure: change(dr(frame.TCP, rip2, rip1)), In: atClients(ack), Out: atBackends(viaDR(ack, 1))},
		},
		Verdicts: Verdicts{packet.Forwarded: 3, packet.DropBackendGone: 2},
		Loads: map[string]worker.Load{
			rip1: {Flows: 1, Active: 1, InPackets: 2, InBytes: 94},
			rip2: {Flows: 1, Active: 1, InPackets: 1, InBytes: 47},
		},
	}
}

// goneFullNAT: replies of a removed backend are still translated.
func goneFullNAT() Case {
	in, back := request(frame.UDP), reply(frame.UDP, 1, Local1)
	return Case{
		Name: "backend removed, fullnat replies pass", Services: services(fullnat(frame.UDP, rip1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1))},
			{Configure: change(fullnat(frame.UDP)), In: atClients(in)},
			{In: atBackends(back), Out: atClients(replied(back))},
		},
		Verdicts: Verdicts{packet.Forwarded: 2, packet.DropBackendGone: 1},
	}
}

func goneInTimeWait() Case {
	syn, fin := request(frame.TCP), with(request(frame.TCP), flags(frame.FIN))
	return Case{
		Name: "backend removed, SYN on TIME_WAIT", Services: services(dr(frame.TCP, rip2, rip1)),
		Steps: []Step{
			{In: atClients(syn, fin), Out: atBackends(viaDR(syn, 1), viaDR(fin, 1)), States: []flow.State{flow.StateTimeWait}},
			{Configure: change(dr(frame.TCP, rip2)), In: atClients(syn), States: []flow.State{flow.StateTimeWait}},
		},
		Verdicts: Verdicts{packet.Forwarded: 2, packet.DropBackendGone: 1},
	}
}

// drained: weight 0 keeps flows and gets no new ones.
func drained() Case {
	syn, ack := request(frame.TCP), with(request(frame.TCP), flags(frame.ACK))
	next := with(syn, from(cport+1))
	idle := dr(frame.TCP, rip1, rip2)
	idle.Backends[1].Idle = true
	return Case{
		Name: "weight 0 drains", Services: services(dr(frame.TCP, rip1, rip2)),
		Steps: []Step{
			{In: atClients(syn), Out: atBackends(viaDR(syn, 2))},
			{Configure: change(idle), In: atClients(ack, next), Out: atBackends(viaDR(ack, 2), viaDR(next, 1))},
			{In: atClients(with(next, from(cport+2))), Out: atBackends(viaDR(with(next, from(cport+2)), 1))},
		},
		Verdicts: Verdicts{packet.Forwarded: 4},
	}
}

// added: a new backend is used; flows stay where they are.
func added() Case {
	a, b := request(frame.UDP), with(request(frame.UDP), from(cport+1))
	return Case{
		Name: "backend added", Services: services(dr(frame.UDP, rip1)),
		Steps: []Step{
			{In: atClients(a), Out: atBackends(viaDR(a, 1))},
			{Configure: change(dr(frame.UDP, rip1, rip2)), In: atClients(a), Out: atBackends(viaDR(a, 1))},
			{In: atClients(b, with(b, from(cport+2))), Out: atBackends(viaDR(b, 2), viaDR(with(b, from(cport+2)), 1))},
		},
		Verdicts: Verdicts{packet.Forwarded: 4},
	}
}

// serviceGone: its flows end as a removed backend's, its address is the kernel's.
func serviceGone() Case {
	syn, other := request(frame.TCP), with(request(frame.TCP), from(cport+1))
	return Case{
		Name: "service removed", Services: services(dr(frame.TCP, rip1)),
		Steps: []Step{
			{In: atClients(syn), Out: atBackends(viaDR(syn, 1))},
			{Configure: change(), In: atClients(syn, other), Kernel: kernel(packet.ClassOther, atClients(other))},
		},
		Verdicts: Verdicts{packet.Forwarded: 1, packet.DropBackendGone: 1, packet.Kernel: 1},
	}
}

// resolvedLater: a flow opens as soon as its backend's link address is known.
func resolvedLater() Case {
	in := request(frame.UDP)
	return Case{
		Name: "backend resolved later", Services: services(dr(frame.UDP, "10.0.0.99")),
		Steps: []Step{
			{In: atClients(in, in), States: []flow.State{}},
			{
				Rewire: func(n *world.Network) { n.Neighbours[world.Neighbour(99)] = n.Neighbours[world.Neighbour(7)] },
				In:     atClients(in), Out: atBackends(viaDR(in, 7)),
			},
		},
		Verdicts: Verdicts{packet.Forwarded: 1, packet.DropNoNeighbour: 2},
	}
}

// moved: running flows follow the routes, in both directions.
func moved() Case {
	in, back := request(frame.UDP), reply(frame.UDP, 1, Local1)
	there := routed(back, world.Backends, world.BackendMAC(5))
	there.Src, there.SrcPort, there.Dst, there.DstPort = vip, vport, cip, cport
	there7 := viaFullNAT(in, 1, Local1)
	there7.DstMAC = world.BackendMAC(7)
	return Case{
		Name: "routes change under a flow", Services: services(fullnat(frame.UDP, rip1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(viaFullNAT(in, 1, Local1))},
			{In: atBackends(back), Out: atClients(replied(back))},
			{Rewire: reroute, In: atClients(in), Out: atBackends(there7)},
			{In: atBackends(back), Out: atBackends(there)},
			{
				Rewire: func(n *world.Network) {
					delete(n.Routes, prefix("203.0.113.0/24"))
					delete(n.Routes, prefix("0.0.0.0/0"))
				},
				In: append(atClients(in), atBackends(back)...), Out: atBackends(there7),
			},
		},
		Verdicts: Verdicts{packet.Forwarded: 5, packet.DropNoRoute: 1},
	}
}
