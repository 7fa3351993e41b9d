package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// rewrite does for every packet with a flow what its mode wants.
func (w *Worker) rewrite(slots []slot) {
	for i := range slots {
		s := &slots[i]
		if s.verdict != packet.Pending {
			continue
		}
		if dir := s.ref.Dir(); w.removed && !w.findAgain(s) {
			s.verdict = lost(dir)
			continue
		}
		s.verdict = w.forward(s)
	}
}

// lost is what becomes of a packet whose flow ended earlier in this burst: a
// request's had to make room, a reply comes too late.
func lost(dir flow.Dir) packet.Verdict {
	if dir == flow.Request {
		return packet.DropTableFull
	}
	return packet.DropNoFlow
}

// findAgain renews a ref found before an earlier packet of this burst ended a
// flow, whose entry may serve another one by now.
func (w *Worker) findAgain(s *slot) bool {
	if !w.matches(s) {
		s.ref = w.find(s)
	}
	return s.ref != 0
}

// forward rewrites one packet of a flow. Checks come before the first change,
// so that a dropped or answered packet is quoted as it came (with the TTL
// decremented when it is too big, as Linux quotes it).
func (w *Worker) forward(s *slot) packet.Verdict {
	index, dir := s.ref.Index(), s.ref.Dir()
	c := w.table.Common(index)
	backend := w.snap.Backends.At(uint32(c.Backend))
	if dir == flow.Request && w.load[c.Backend].mark&gone != 0 {
		return packet.DropBackendGone
	}
	id := w.hopID(c, index, dir)
	hop, ok := w.snap.Net.Hops.Load(id)
	if !ok || int(hop.Port()) >= len(w.out) {
		return w.noHop(c, index, dir)
	}
	if ttl(s) <= 1 {
		return w.answer(s, w.reported(modes.TimeExceeded, c, index, dir), packet.AnsweredTTL, packet.DropTTL)
	}
	overhead := 0
	if c.Mode == service.ModeTun {
		overhead = int(backend.Outer.Size())
	}
	if s.packet.Len()+overhead > int(hop.MTU()) {
		return w.tooBig(s, w.reported(modes.TooBig(hop.MTU()-uint16(overhead)), c, index, dir))
	}
	bytes := s.packet.Len()
	if verdict := w.apply(s, c, index, dir, backend); verdict != packet.Pending {
		return verdict
	}
	if !w.address(s, hop, id) {
		return packet.DropNoHeadroom
	}
	if !s.packet.Error {
		w.account(s, c, index, dir, uint64(bytes))
	}
	return packet.Forwarded
}

// apply is the mode's part.
func (w *Worker) apply(s *slot, c *flow.Common, index flow.Index, dir flow.Dir, backend *service.Backend) packet.Verdict {
	frame, p := s.buf.Bytes(), &s.packet
	switch {
	case c.Mode == service.ModeDR:
		modes.DR(frame, p)
	case c.Mode == service.ModeTun:
		w.ident++
		if !modes.Tun(s.buf, p, &backend.Outer, w.ident) {
			return packet.DropNoHeadroom
		}
	case p.Error && p.IPv6:
		if !modes.NATError6(frame, p, w.table.At6(index), dir) {
			return packet.DropBadICMPChecksum
		}
	case p.Error:
		if !modes.NATError4(frame, p, w.table.At(index), dir) {
			return packet.DropBadICMPChecksum
		}
	case p.IPv6:
		modes.NAT6(frame, p, w.table.At6(index), dir)
	default:
		modes.NAT4(frame, p, w.table.At(index), dir)
	}
	return packet.Pending
}

// address writes the Ethernet header for the next hop, with the tag of its VLAN,
// and cuts padding. It reports false when a tag does not fit in.
func (w *Worker) address(s *slot, hop service.Hop, id service.NextHopID) bool {
	b, tagged := s.buf, s.packet.L3 != packet.EthernetLen
	b.Trim(int(s.packet.End))
	if !hop.Tagged() && tagged {
		b.Cut(packet.VLANLen)
	}
	if hop.Tagged() && !tagged && !b.Prepend(packet.VLANLen) {
		return false
	}
	frame := b.Bytes()
	packet.EthernetAt(frame).SetAddresses(hop.DstSrc, hop.Src())
	if hop.Tagged() {
		packet.SetTag(frame, w.snap.Net.Hops.VLAN(id))
	}
	s.port = hop.Port()
	return true
}

func ttl(s *slot) uint8 {
	if s.packet.IPv6 {
		return packet.IPv6At(s.buf.Bytes(), s.packet.L3).HopLimit()
	}
	return packet.IPv4At(s.buf.Bytes(), s.packet.L3).TTL()
}

// tooBig answers a packet that may not be fragmented and drops one that may:
// fragmenting is not done here. e says what would fit.
func (w *Worker) tooBig(s *slot, e modes.ICMPError) packet.Verdict {
	if s.packet.IPv6 {
		packet.IPv6At(s.buf.Bytes(), s.packet.L3).DecrementHopLimit()
	} else {
		ip := packet.IPv4At(s.buf.Bytes(), s.packet.L3)
		if !ip.DontFragment() {
			return packet.DropTooBig
		}
		ip.DecrementTTL()
	}
	return w.answer(s, e, packet.AnsweredTooBig, packet.DropTooBig)
}

// reported is an error as the gateway reports it about a flow's packet: from the
// packet's destination, but nat's replies are addressed to the client and hear of
// it from the VIP.
func (w *Worker) reported(e modes.ICMPError, c *flow.Common, index flow.Index, dir flow.Dir) modes.ICMPError {
	if dir == flow.Request || c.Mode != service.ModeNAT {
		return e
	}
	if index.IPv6() {
		request := &w.table.At6(index).Addrs[flow.Request]
		return e.From(address6(request[2], request[3]))
	}
	return e.From(address(uint32(w.table.At(index).Addrs[flow.Request] >> 32)))
}

// answer turns the packet into an ICMP error, or drops it when the limit is
// reached or it must not be answered.
func (w *Worker) answer(s *slot, e modes.ICMPError, answered, dropped packet.Verdict) packet.Verdict {
	port := s.buf.Port
	if int(port) >= len(w.out) || !w.answerLimit.take() || !modes.Answer(s.buf, &s.packet, e) {
		return dropped
	}
	s.port = port
	return answered
}
