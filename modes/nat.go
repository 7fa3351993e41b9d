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
	out, ipDelta, l4Delta := e.ReplyTuple(), e.IPDelta, e.L4Delta
	if dir == flow.Reply {
		out, ipDelta, l4Delta = e.RequestTuple(), ^ipDelta, ^l4Delta
	}
	out = out.Reverse()
	packet.IPv4At(frame, p.L3).Forward(out.Addrs, ipDelta)
	rewritePorts(frame, p, out.Ports, l4Delta)
}

// NAT6 translates an IPv6 packet of a nat or fullnat flow.
func NAT6(frame []byte, p *packet.Parsed, e *flow.Entry6, dir flow.Dir) {
	out, delta := e.ReplyTuple(), e.L4Delta
	if dir == flow.Reply {
		out, delta = e.RequestTuple(), ^delta
	}
	out = out.Reverse()
	packet.IPv6At(frame, p.L3).Forward(&out.Addrs)
	rewritePorts(frame, p, out.Ports, delta)
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
	reply := e.ReplyTuple().Reverse()
	e.IPDelta = packet.Delta(e.ReqAddrs, reply.Addrs)
	e.L4Delta = packet.Fold(uint64(e.IPDelta) + uint64(portsDelta(e.ReqPorts, reply.Ports)))
}

// Prepare6 computes the delta of an entry whose tuples are set. IPv6 has no
// header checksum, but those of TCP and UDP cover the addresses.
func Prepare6(e *flow.Entry6) {
	reply := e.ReplyTuple()
	reply = reply.Reverse()
	sum := uint64(portsDelta(e.ReqPorts, reply.Ports))
	for i := range e.Req {
		sum += uint64(packet.Delta(e.Req[i], reply.Addrs[i]))
	}
	e.L4Delta = packet.Fold(sum)
}

func portsDelta(old, new uint32) uint16 { return packet.Delta(uint64(old), uint64(new)) }
