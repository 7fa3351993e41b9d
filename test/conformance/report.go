package conformance

import (
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
	"github.com/sluice-lb/sluice/worker"
)

// reportCases: ICMP errors that others send about packets of flows. nat and
// fullnat translate them, dr and tun forward them to the backend of the flow.
func reportCases() (all []Case) {
	each(func(name string, f family, proto uint8) {
		for _, mode := range natModes {
			for _, e := range errorsOf(f) {
				all = append(all, reported(mode.String()+" "+name+e.name, f, mode, proto, e.ICMPError, nil))
			}
			unreachable := errorsOf(f)[0].ICMPError
			short := map[string]int{ip4.name: 28, ip6.name: 48}[f.name]
			for kind, change := range map[string]func(*frame.Report){
				", 8 bytes quoted":       func(r *frame.Report) { r.Cut = short },
				", 12 bytes quoted":      func(r *frame.Report) { r.Cut = short + 4 },
				", 20 bytes quoted":      func(r *frame.Report) { r.Cut = short + 12 },
				", padded":               func(r *frame.Report) { r.Padding = 9 },
				", quoted checksum off":  func(r *frame.Report) { r.Quote.SumError = 0x55 },
				", quote of options":     func(r *frame.Report) { optional(&r.Quote) },
				", quote of a fragment":  func(r *frame.Report) { r.Quote.MF = true },
				", reported in the VLAN": func(r *frame.Report) { r.VLAN = world.VLAN21 },
			} {
				all = append(all, reported(mode.String()+" "+name+kind, f, mode, proto, unreachable, change))
			}
			all = append(all, reportRefused(mode.String()+" "+name, f, mode, proto))
		}
		all = append(all, reportForwarded("dr "+name, f, proto, nil))
		for _, outer := range families {
			all = append(all, reportForwarded("tun "+name+" in "+outer.name, f, proto, &outer))
		}
		all = append(all, reportOfNobody(name, f, proto))
	})
	return all
}

// optional gives a packet IPv4 options or IPv6 extension headers.
func optional(p *frame.Packet) {
	if p.IsIPv6() {
		p.Extensions = []frame.Extension{frame.Options(frame.HopByHop, 8), frame.Options(frame.Destination, 16)}
		return
	}
	recordRoute(p)
}

type namedError struct {
	name string
	frame.ICMPError
}

// errorsOf are the errors that concern a flow.
func errorsOf(f family) []namedError {
	if f.name == ip4.name {
		return []namedError{
			{", host unreachable", frame.ICMPError{Type: 3, Code: 1}}, {", fragmentation needed", frame.ICMPError{Type: 3, Code: 4, MTU: 1300}},
			{", source quench", frame.ICMPError{Type: 4}}, {", time exceeded", frame.ICMPError{Type: 11}},
		}
	}
	return []namedError{
		{", address unreachable", frame.ICMPError{Type: 1, Code: 3}}, {", packet too big", frame.ICMPError{Type: 2, MTU: 1300}},
		{", time exceeded", frame.ICMPError{Type: 3}}, {", parameter problem", frame.ICMPError{Type: 4, Code: 1, MTU: 40}},
	}
}

// Reports about a flow through backend 1, as they come and as they must leave:
// of the backend or a router behind it about a request that we sent, and of a
// router about a reply.

func (f family) aboutRequest(mode service.Mode, proto uint8, e frame.ICMPError) (in, out frame.Report) {
	request := f.request(proto)
	sent := f.there(mode, request, 1)
	in = frame.Report{SrcMAC: sent.DstMAC, DstMAC: sent.SrcMAC, Src: f.rip(5), Dst: sent.Src, Error: e, Quote: sent}
	out = frame.Report{SrcMAC: world.PortMAC(world.Clients), DstMAC: world.RouterMAC, Src: f.vip, Dst: f.cip, TTL: 63, Error: e}
	out.Quote = with(request, ttl(sent.TTL))
	return in, out
}

func (f family) aboutReply(mode service.Mode, proto uint8, e frame.ICMPError) (in, out frame.Report) {
	reply := f.reply(mode, proto, 1)
	sent := f.back(reply)
	in = frame.Report{SrcMAC: sent.DstMAC, DstMAC: sent.SrcMAC, Src: f.far, Dst: f.vip, Error: e, Quote: sent}
	out = frame.Report{SrcMAC: world.PortMAC(world.Backends), DstMAC: reply.SrcMAC, Src: f.lip, Dst: f.rip(1), TTL: 63, Error: e}
	if mode == service.ModeNAT {
		out.Src = f.far // whoever reported it
	}
	out.Quote = with(reply, ttl(sent.TTL))
	return in, out
}

// reported: errors in both directions, changed alike as they come and leave.
func reported(name string, f family, mode service.Mode, proto uint8, e frame.ICMPError, change func(*frame.Report)) Case {
	request := f.request(proto)
	aboutRequest, toClient := f.aboutRequest(mode, proto, e)
	aboutReply, toBackend := f.aboutReply(mode, proto, e)
	if change != nil {
		for _, r := range []*frame.Report{&aboutRequest, &toClient, &aboutReply, &toBackend} {
			change(r)
		}
		toClient.VLAN, toClient.Padding, toBackend.VLAN, toBackend.Padding = 0, 0, 0, 0
	}
	return Case{
		Name: "report " + name, Services: services(f.service(mode, proto, 1)), Verdicts: Verdicts{packet.Forwarded: 3},
		Steps: []Step{
			{In: atClients(request), Out: atBackends(f.there(mode, request, 1))},
			{In: report(world.Backends, aboutRequest), Out: report(world.Clients, toClient)},
			{In: report(world.Clients, aboutReply), Out: report(world.Backends, toBackend)},
		},
	}
}

func report(port int, reports ...frame.Report) (out []Frame) {
	for _, r := range reports {
		out = append(out, Frame{Port: port, Report: &r})
	}
	return out
}

// reportRefused: an error with a wrong checksum, or whose TTL is over, goes
// nowhere; to a removed backend neither; and none counts as the flow's packet.
func reportRefused(name string, f family, mode service.Mode, proto uint8) Case {
	request := f.request(proto)
	e := errorsOf(f)[0].ICMPError
	aboutRequest, toClient := f.aboutRequest(mode, proto, e)
	aboutReply, _ := f.aboutReply(mode, proto, e)
	spoiled, expired := [2]frame.Report{aboutRequest, aboutReply}, [2]frame.Report{aboutRequest, aboutReply}
	for i := range 2 {
		spoiled[i].SumError, expired[i].TTL = 0x0100, 1
	}
	load := worker.Load{Flows: 1, Active: 1, InPackets: 1, InBytes: uint64(len(request.IP()))}
	if proto == frame.UDP {
		load.Active, load.Inactive = 0, 1
	}
	return Case{
		Name: "report " + name + ", refused", Services: services(f.service(mode, proto, 1)),
		Steps: []Step{
			{In: atClients(request), Out: atBackends(f.there(mode, request, 1))},
			{In: append(report(world.Backends, spoiled[0], expired[0]), report(world.Clients, spoiled[1], expired[1])...)},
			{
				Configure: change(f.service(mode, proto)),
				In:        append(report(world.Backends, aboutRequest), report(world.Clients, aboutReply)...), Out: report(world.Clients, toClient),
			},
		},
		Verdicts: Verdicts{packet.Forwarded: 2, packet.DropBadICMPChecksum: 2, packet.DropTTL: 2, packet.DropBackendGone: 1},
		Loads:    map[string]worker.Load{f.rip(1): load},
	}
}

// reportForwarded: an error about a packet that the backend sent past us is
// addressed to the VIP, and goes on intact: even with a wrong checksum. outer is
// nil for dr.
func reportForwarded(name string, f family, proto uint8, outer *family) Case {
	request := f.request(proto)
	in, _ := f.aboutReply(service.ModeNAT, proto, errorsOf(f)[1].ICMPError)
	out := in
	out.SrcMAC, out.DstMAC, out.TTL = world.PortMAC(world.Backends), world.BackendMAC(1), 63
	bad, badOut := in, out
	bad.SumError, badOut.SumError = 3, 3
	svc, there, sent := f.service(service.ModeDR, proto, 1), atBackends(f.there(service.ModeDR, request, 1)), report(world.Backends, out, badOut)
	if outer != nil {
		svc, there = f.tunnel(*outer, proto, 1), []Frame{encapsulated(request, *outer, 1)}
		sent = []Frame{inTunnel(out, *outer), inTunnel(badOut, *outer)}
	}
	return Case{
		Name: "report " + name, Services: services(svc), Verdicts: Verdicts{packet.Forwarded: 3},
		Steps: []Step{{In: atClients(request), Out: there}, {In: report(world.Clients, in, bad), Out: sent}},
	}
}

// inTunnel is a report that has been forwarded in a tunnel to backend 1.
func inTunnel(r frame.Report, outer family) Frame {
	ip := r.Bytes()[14:]
	p := frame.Packet{
		SrcMAC: r.SrcMAC, DstMAC: r.DstMAC, Src: outer.lip, Dst: outer.rip(1), Proto: frame.IPinIP, TTL: r.TTL, Payload: ip,
	}
	if ip[0]>>4 == 6 {
		p.Proto = frame.IPv6
	}
	return Frame{Port: world.Backends, Packet: p, AnyID: outer.name == ip4.name}
}

// reportOfNobody: errors about no flow, of other types or about other protocols
// are the kernel's.
func reportOfNobody(name string, f family, proto uint8) Case {
	in, _ := f.aboutReply(service.ModeNAT, proto, errorsOf(f)[0].ICMPError)
	other := in
	other.Quote = with(in.Quote, func(p *frame.Packet) { p.Proto, p.Payload = 132, make([]byte, 20) })
	later := in
	later.Quote = with(in.Quote, func(p *frame.Packet) { p.Offset = 5 })
	cut := in
	cut.Cut = map[string]int{ip4.name: 27, ip6.name: 47}[f.name]
	redirect := in
	redirect.Error = map[string]frame.ICMPError{ip4.name: {Type: 5}, ip6.name: {Type: 100}}[f.name]
	passing := in // to a client, about what it sent to the VIP
	passing.Dst, passing.Quote = f.cip, f.request(proto)
	frames := report(world.Clients, in, other, later, cut, redirect, passing)
	return Case{
		Name: "report " + name + ", about no flow", Services: services(f.service(service.ModeDR, proto, 1)),
		Steps: []Step{{In: frames, Kernel: kernel(packet.ClassOther, frames)}}, Verdicts: Verdicts{packet.Kernel: 6},
	}
}
