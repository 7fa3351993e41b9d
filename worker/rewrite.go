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
		if w.removed && !w.findAgain(s) {
			s.verdict = packet.DropNoFlow
			continue
		}
		s.verdict = w.forward(s)
	}
}

// findAgain renews a ref found before an earlier packet of this burst ended a
// flow, whose entry may serve another one by now.
func (w *Worker) findAgain(s *slot) bool {
	if !w.table.Match(s.ref, s.tuple()) {
		s.ref = w.table.Find(s.hash, s.tuple())
	}
	return s.ref != 0
}

// forward rewrites one packet of a flow. Checks come before the first change,
// so that a dropped or answered packet is quoted as it came (with the TTL
// decremented when it is too big, as Linux quotes it).
func (w *Worker) forward(s *slot) packet.Verdict {
	index, dir := s.ref.Index(), s.ref.Dir()
	e := w.table.At(index)
	if dir == flow.Request && !w.snap.Backends.At(uint32(e.Backend)).Present {
		return packet.DropBackendGone
	}
	hop, verdict := w.nextHop(e, dir)
	if verdict != packet.Pending {
		return verdict
	}
	frame := s.buf.Bytes()
	ip := packet.IPv4At(frame, s.packet.L3)
	if ip.TTL() <= 1 {
		return w.answer(s, modes.TimeExceeded, packet.AnsweredTTL, packet.DropTTL)
	}
	if s.packet.Len() > int(hop.MTU) {
		return w.tooBig(s, ip, hop.MTU)
	}
	switch e.Mode {
	case service.ModeDR:
		modes.DR4(frame, &s.packet)
	case service.ModeFullNAT:
		modes.FullNAT4(frame, &s.packet, e, dir)
	}
	packet.EthernetAt(frame).SetAddresses(hop.DstSrc, hop.Src)
	s.buf.Trim(int(s.packet.End))
	s.port = hop.Port
	w.account(s, e, index, dir)
	return packet.Forwarded
}

// tooBig answers a packet that may not be fragmented and drops one that may:
// fragmenting is not done here.
func (w *Worker) tooBig(s *slot, ip *packet.IPv4, mtu uint16) packet.Verdict {
	if !ip.DontFragment() {
		return packet.DropTooBig
	}
	ip.DecrementTTL()
	return w.answer(s, modes.TooBig(mtu), packet.AnsweredTooBig, packet.DropTooBig)
}

// answer turns the packet into an ICMP error, or drops it when the limit is
// reached or it must not be answered.
func (w *Worker) answer(s *slot, e modes.ICMPError, answered, dropped packet.Verdict) packet.Verdict {
	port := s.buf.Port
	if int(port) >= len(w.out) || !w.answerLimit.take() || !modes.Answer4(s.buf, &s.packet, e) {
		return dropped
	}
	s.port = port
	return answered
}

// nextHop is where the flow's packets in direction dir leave. The entry caches
// the ids until routes or the set of neighbours change.
func (w *Worker) nextHop(e *flow.Entry4, dir flow.Dir) (service.Hop, packet.Verdict) {
	net := w.snap.Net
	if e.NetEpoch != net.Epoch {
		w.resolve(e)
	}
	id := e.HopReq
	if dir == flow.Reply {
		id = e.HopRep
	}
	if hop, ok := net.Hops.Load(id); ok && int(hop.Port) < len(w.out) {
		return hop, packet.Pending
	}
	return service.Hop{}, w.unresolved(e, dir)
}

// account updates the flow's state, its counters and its backend's.
func (w *Worker) account(s *slot, e *flow.Entry4, index flow.Index, dir flow.Dir) {
	w.table.Touch(&e.Common)
	if s.packet.Proto == packet.ProtoTCP {
		w.track(e, index, dir, s.packet.TCPFlags)
	}
	bytes := uint64(s.packet.Len())
	cold, l := w.table.Cold(index), &w.load[e.Backend]
	w.touchLoad(e.Backend, l)
	if dir == flow.Request {
		cold.InPackets++
		cold.InBytes += bytes
		l.inPackets++
		l.inBytes += bytes
		return
	}
	cold.OutPackets++
	cold.OutBytes += bytes
	l.outPackets++
	l.outBytes += bytes
}

// track follows the TCP connection's state.
func (w *Worker) track(e *flow.Entry4, index flow.Index, dir flow.Dir, flags uint8) {
	old := e.State
	next := flow.NextTCP(old, dir, e.Mode == service.ModeDR || e.Mode == service.ModeTun, flags)
	if next == old {
		return
	}
	w.table.SetState(index, next)
	if old.Active() != next.Active() {
		w.countFlow(e.Backend, old, -1)
		w.countFlow(e.Backend, next, +1)
	}
}
