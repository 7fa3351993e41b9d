package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// miss decides about every packet that has no flow: it is the kernel's, another
// worker's, it is dropped for a reason, or it opens a flow. Flows are opened
// together, see openings; but the second packet of a new one in the same burst finds
// the entry that the first has made.
func (w *Worker) miss(slots []slot) {
	for i := range slots {
		s := &slots[i]
		if s.verdict != packet.Pending || s.ref != 0 && s.packet.TCPFlags&packet.SYN == 0 {
			continue // decided, or nearly always: a packet of a flow
		}
		if !s.packet.Fragment && w.openings.claimed(s.hash) {
			w.openAll()
		}
		if s.ref == 0 && !s.packet.Fragment && w.openings.opened > 0 {
			s.ref = w.find(s)
		}
		if s.ref != 0 && !w.reopens(s) {
			continue
		}
		s.verdict = w.open(s)
	}
	w.openAll()
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
	w.openAll() // what has begun may use the pool of local ports that ends with this flow
	if w.removed && !w.findAgain(s) {
		return true
	}
	w.end(index, e)
	w.table.Remove(index)
	w.removed = true
	s.ref = 0
	return true
}

// open finds whose packet it is and, for a service's, begins a flow.
func (w *Worker) open(s *slot) packet.Verdict {
	src, dst := s.src(), s.dst()
	if !s.packet.Error && w.snap.RoleWire(src) != 0 {
		return packet.DropOwnSource
	}
	if s.packet.Fragment {
		if w.snap.RoleWire(dst) == 0 {
			return w.kernels(s)
		}
		return packet.DropFragment
	}
	svc := w.service(dst)
	role := service.RoleVIP
	if svc == nil {
		role = w.snap.RoleWire(dst)
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
		return w.schedule(s, svc, src)
	case role&service.RoleLocal != 0 && hostPort(uint16(s.packet.Ports>>16)) >= firstLocalPort:
		return packet.DropNoFlow
	}
	return w.kernels(s)
}

// recent is the service that was asked for last: packets without a flow come in
// crowds for one.
type recent struct {
	dst service.Wire
	svc *service.Service // nil: none has that address
}

// service is the one with that address, nil if there is none.
func (w *Worker) service(dst service.Wire) *service.Service {
	if w.recent.dst != dst {
		w.recent = recent{dst, w.snap.LookupWire(dst)}
	}
	return w.recent.svc
}

// kernels ranks a TCP, UDP or ICMP packet for the kernel.
func (w *Worker) kernels(s *slot) packet.Verdict {
	s.packet.Class = packet.ClassOther
	if !s.packet.Fragment && !s.packet.Error {
		s.packet.Class = packet.ClassOfPorts(s.packet.Proto, s.packet.Ports)
	}
	return packet.Kernel
}
