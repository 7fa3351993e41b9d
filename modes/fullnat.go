package modes

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
)

// FullNAT4 translates both ends of an IPv4 packet: requests
// CIP,VIP -> LIP,RIP and replies RIP,LIP -> VIP,CIP. What a packet becomes is
// the other tuple of its flow, reversed; what that does to the checksums is the
// entry's delta, for replies its complement.
func FullNAT4(frame []byte, p *packet.Parsed, e *flow.Entry4, dir flow.Dir) {
	out, ipDelta, l4Delta := e.ReplyTuple(), e.IPDelta, e.L4Delta
	if dir == flow.Reply {
		out, ipDelta, l4Delta = e.RequestTuple(), ^ipDelta, ^l4Delta
	}
	out = out.Reverse()
	packet.IPv4At(frame, p.L3).Forward(out.Addrs, ipDelta)
	if p.Proto == packet.ProtoTCP {
		packet.TCPAt(frame, p.L4).Rewrite(out.Ports, l4Delta)
		return
	}
	packet.UDPAt(frame, p.L4).Rewrite(out.Ports, l4Delta)
}

// Prepare4 computes the deltas of an entry whose tuples are set. A flow without
// reply tuple (dr, tun) translates nothing.
func Prepare4(e *flow.Entry4) {
	reply := e.ReplyTuple().Reverse()
	e.IPDelta = packet.Delta(e.ReqAddrs, reply.Addrs)
	e.L4Delta = packet.Fold(uint64(e.IPDelta) + uint64(packet.Delta(uint64(e.ReqPorts), uint64(reply.Ports))))
}
