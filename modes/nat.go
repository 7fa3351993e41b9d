package modes

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
)

// nat and fullnat are one rewrite: they differ in the reply tuple that the flow
// got when it was created.
//
//	         request                   reply
//	nat      CIP,VIP -> CIP,RIP        RIP,CIP -> VIP,CIP
//	fullnat  CIP,VIP -> LIP,RIP        RIP,LIP -> VIP,CIP
//
// What a packet becomes is the other tuple of its flow, reversed; what that
// does to the checksums is the entry's delta, for replies its complement.

// NAT4 translates an IPv4 packet of a nat or fullnat flow.
func NAT4(frame []byte, p *packet.Parsed, e *flow.Entry4, dir flow.Dir) {
	out := e.Out(dir)
	ip, l4 := e.Deltas(dir)
	packet.IPv4At(frame, p.L3).Forward(out.Addrs, ip)
	rewritePorts(frame, p, out.Ports, l4)
}

// NAT6 translates an IPv6 packet of a nat or fullnat flow.
func NAT6(frame []byte, p *packet.Parsed, e *flow.Entry6, dir flow.Dir) {
	out := e.Out(dir)
	_, l4 := e.Deltas(dir)
	packet.IPv6At(frame, p.L3).Forward(&out.Addrs)
	rewritePorts(frame, p, out.Ports, l4)
}

func rewritePorts(frame []byte, p *packet.Parsed, ports uint32, delta uint16) {
	if p.Proto == packet.ProtoTCP {
		packet.TCPAt(frame, p.L4).Rewrite(ports, delta)
		return
	}
	packet.UDPAt(frame, p.L4).Rewrite(ports, delta)
}

// Prepare4 computes the deltas of an entry whose tuples are set.
func Prepare4(e *flow.Entry4) {
	request, reply := e.Tuple(flow.Request), e.Tuple(flow.Reply).Reverse()
	ip := packet.Delta(request.Addrs, reply.Addrs)
	e.SetDeltas(ip, packet.Fold(uint64(ip)+uint64(portsDelta(request.Ports, reply.Ports))))
}

// Prepare6 computes the delta of an entry whose tuples are set. IPv6 has no
// header checksum, but those of TCP and UDP cover the addresses.
func Prepare6(e *flow.Entry6) {
	request, reply := e.Tuple(flow.Request), e.Tuple(flow.Reply)
	reply = reply.Reverse()
	sum := uint64(portsDelta(request.Ports, reply.Ports))
	for i, word := range request.Addrs {
		sum += uint64(packet.Delta(word, reply.Addrs[i]))
	}
	e.SetDeltas(0, packet.Fold(sum))
}

func portsDelta(old, new uint32) uint16 { return packet.Delta(uint64(old), uint64(new)) }
