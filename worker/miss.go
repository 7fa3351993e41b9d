package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// miss decides about every packet that has no flow: it is the kernel's, another
// worker's, it is dropped for a reason, or it opens a flow. (The second packet of
// a new flow in the same burst finds the entry that the first has made.)
func (w *Worker) miss(slots []slot) {
	for i := range slots {
		s := &slots[i]
		if s.verdict != packet.Pending || s.ref != 0 && s.packet.TCPFlags&packet.SYN == 0 {
			continue // decided, or nearly always: a packet of a flow
		}
		if s.ref == 0 && !s.packet.Fragment {
			s.ref = w.find(s)
		}
		if s.ref != 0 && !w.reopens(s) {
			continue
		}
		s.verdict = w.open(s)
	}
}

// reopens says whether a packet of a known flow starts a new one: a SYN of the
// client on a connection that is over (Linux IPVS, conn_reuse). The old flow ends.
func (w *Worker) reopens(s *slot) bool {
	const which = packet.SYN | packet.RST | packet.ACK
	if s.packet.TCPFlags&which != packet.SYN || s.ref.Dir() != flow.Request {
		return false
	}
	if w.removed && !w.findAgain(s) {
		return true
	}
	index := s.ref.Index()
	e := w.table.Common(index)
	if e.State != flow.StateTimeWait && e.State != flow.StateClose {
		return false
	}
	if !w.snap.Backends.At(uint32(e.Backend)).Present {
		return false // dropped silently, even new SYNs on that tuple
	}
	w.end(index, e)
	w.table.Remove(index)
	w.removed = true
	s.ref = 0
	return true
}

// open finds whose packet it is and, for a service's, makes a flow.
func (w *Worker) open(s *slot) packet.Verdict {
	ends := s.ends()
	if !s.packet.Error && w.snap.Role(ends.src.Addr()) != 0 {
		return packet.DropOwnSource
	}
	if s.packet.Fragment {
		if w.snap.Role(ends.dst.Addr()) == 0 {
			return w.kernels(s)
		}
		return packet.DropFragment
	}
	svc := w.snap.Lookup(ends.key(s.packet.Proto))
	role := service.RoleVIP
	if svc == nil {
		role = w.snap.Role(ends.dst.Addr())
	}
	if w.cfg.Peers != nil && w.otherOwner(s, svc, role) {
		return packet.Handover
	}
	switch {
	case s.packet.Error:
		return w.kernels(s) // about nothing of ours
	case svc != nil:
		if s.packet.Proto == packet.ProtoTCP && s.packet.TCPFlags&(packet.SYN|packet.RST) != packet.SYN {
			return w.kernels(s) // no flow and no SYN: the local stack resets it
		}
		return w.schedule(s, svc, &ends)
	case role&service.RoleLocal != 0 && ends.dst.Port() >= firstLocalPort:
		return packet.DropNoFlow
	}
	return w.kernels(s)
}

// kernels ranks a TCP, UDP or ICMP packet for the kernel.
func (w *Worker) kernels(s *slot) packet.Verdict {
	s.packet.Class = packet.ClassOther
	if !s.packet.Fragment && !s.packet.Error {
		s.packet.Class = packet.ClassOfPorts(s.packet.Proto, s.packet.Ports)
	}
	return packet.Kernel
}

// schedule chooses a backend and makes the flow.
func (w *Worker) schedule(s *slot, svc *service.Service, ends *ends) packet.Verdict {
	backend := w.pick(svc, ends)
	if backend == nil {
		return w.answer(s, modes.PortUnreachable, packet.AnsweredNoBackend, packet.DropNoBackend)
	}
	c := flow.Common{Proto: s.packet.Proto, Mode: svc.Mode, State: firstState(s.packet.Proto), Backend: backend.ID}
	w.resolve(&c, ends.src.Addr())
	if c.Sides[flow.Request].Hop == 0 {
		return w.unresolved(backend.Addr)
	}
	var index flow.Index
	var verdict packet.Verdict
	if s.packet.IPv6 {
		index, verdict = w.insert6(s, c, svc, backend)
	} else {
		index, verdict = w.insert4(s, c, svc, backend)
	}
	if verdict != packet.Pending {
		return verdict
	}
	w.stats.created++
	w.load[backend.ID].flows++
	w.countFlow(backend.ID, c.State, +1)
	s.ref = flow.MakeRef(index, flow.Request)
	return packet.Pending
}

// pick asks the service's scheduler; nil when it has nothing to choose.
func (w *Worker) pick(svc *service.Service, ends *ends) *service.Backend {
	if svc.Plan == nil {
		return nil
	}
	id := svc.Plan.Pick(&w.cursors[svc.ID], w, service.FlowKey{
		Client: ends.src.Addr(), ClientPort: ends.src.Port(), VIP: ends.dst.Addr(), VPort: ends.dst.Port(),
	})
	if id == 0 {
		return nil
	}
	return w.snap.Backends.At(uint32(id))
}

func firstState(proto uint8) flow.State {
	if proto == packet.ProtoTCP {
		return flow.StateSynReceived
	}
	return flow.StateUDP
}
