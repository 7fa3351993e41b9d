package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// Local ports of fullnat. The whole range above the well-known ports is used;
// local addresses are Sluice's own.
const (
	firstLocalPort = 1024
	numLocalPorts  = 1<<16 - firstLocalPort

	// localPortTries bounds the search among the ports that this worker owns.
	// With 19 of 20 towards a backend in use, the chance to miss the free ones is
	// 0.95^128, one in 700.
	localPortTries = 128
)

// evictBudget is how many entries a new flow may look at, for one to take the
// place of, when the table is full. Open connections of one time lie side by side:
// with few looks, a run of them would refuse many new flows before it is passed.
const evictBudget = 64

// insert4 makes the entry of an IPv4 flow.
func (w *Worker) insert4(s *slot, c flow.Common, svc *service.Service, backend *service.Backend) (flow.Index, packet.Verdict) {
	e := flow.Entry4{Common: c}
	e.SetTuple(flow.Request, s.tuple())
	if verdict := w.reply4(&e, svc, backend); verdict != packet.Pending {
		return 0, verdict
	}
	index, ok := w.table.Insert(e)
	if !ok && w.evict(flow.IPv4) {
		index, ok = w.table.Insert(e)
	}
	if !ok {
		return 0, packet.DropTableFull
	}
	return index, packet.Pending
}

// reply4 sets the tuple of replies as they will arrive; dr and tun have none.
func (w *Worker) reply4(e *flow.Entry4, svc *service.Service, backend *service.Backend) packet.Verdict {
	if svc.Mode != service.ModeNAT && svc.Mode != service.ModeFullNAT {
		return packet.Pending // tun: the backend may be of the other family
	}
	reply := flow.Tuple4{Addrs: uint64(rawAddress(backend.Addr)), Ports: uint32(hostPort(backend.Port)), Proto: e.Proto}
	switch svc.Mode {
	case service.ModeNAT:
		reply.Addrs |= e.Addrs[flow.Request] << 32
		reply.Ports |= e.Sides[flow.Request].Ports << 16
		if w.table.Has(reply) {
			return packet.DropReplyInUse
		}
	case service.ModeFullNAT:
		if len(svc.Locals) == 0 {
			return packet.DropNoLocalPort
		}
		reply.Addrs |= uint64(rawAddress(svc.Locals[w.rand()%uint64(len(svc.Locals))])) << 32
		ports, ok := w.freePort(reply.Ports, func(ports uint32) (owned, free bool) {
			reply.Ports = ports
			return w.owns(reply), !w.table.Has(reply)
		})
		if !ok {
			return packet.DropNoLocalPort
		}
		reply.Ports = ports
	}
	e.SetTuple(flow.Reply, reply)
	modes.Prepare4(e)
	return packet.Pending
}

// insert6 makes the entry of an IPv6 flow.
func (w *Worker) insert6(s *slot, c flow.Common, svc *service.Service, backend *service.Backend) (flow.Index, packet.Verdict) {
	e, request := flow.Entry6{Common: c}, s.tuple6()
	e.SetTuple(flow.Request, &request)
	if verdict := w.reply6(&e, svc, backend); verdict != packet.Pending {
		return 0, verdict
	}
	index, ok := w.table.Insert6(e)
	if !ok && w.evict(flow.IPv6) {
		index, ok = w.table.Insert6(e)
	}
	if !ok {
		return 0, packet.DropTableFull
	}
	return index, packet.Pending
}

// reply6 is reply4 for IPv6.
func (w *Worker) reply6(e *flow.Entry6, svc *service.Service, backend *service.Backend) packet.Verdict {
	if svc.Mode != service.ModeNAT && svc.Mode != service.ModeFullNAT {
		return packet.Pending // tun: the backend may be of the other family
	}
	reply := flow.Tuple6{Ports: uint32(hostPort(backend.Port)), Proto: e.Proto}
	reply.Addrs[0], reply.Addrs[1] = rawAddress6(backend.Addr)
	switch svc.Mode {
	case service.ModeNAT:
		client := &e.Addrs[flow.Request]
		reply.Addrs[2], reply.Addrs[3] = client[0], client[1]
		reply.Ports |= e.Sides[flow.Request].Ports << 16
		if w.table.Has6(&reply) {
			return packet.DropReplyInUse
		}
	case service.ModeFullNAT:
		if len(svc.Locals) == 0 {
			return packet.DropNoLocalPort
		}
		reply.Addrs[2], reply.Addrs[3] = rawAddress6(svc.Locals[w.rand()%uint64(len(svc.Locals))])
		ports, ok := w.freePort(reply.Ports, func(ports uint32) (owned, free bool) {
			reply.Ports = ports
			return w.owns6(&reply), !w.table.Has6(&reply)
		})
		if !ok {
			return packet.DropNoLocalPort
		}
		reply.Ports = ports
	}
	e.SetTuple(flow.Reply, &reply)
	modes.Prepare6(e)
	return packet.Pending
}

// freePort finds a local port for a reply tuple with these raw ports, whose
// destination is still 0: one under which the table knows no flow from that
// backend, and whose replies this worker owns. The table itself is the
// allocator: one local port serves as many backends as there are.
func (w *Worker) freePort(ports uint32, try func(ports uint32) (owned, free bool)) (uint32, bool) {
	start, step := w.rand(), w.rand()|1
	tries := localPortTries
	for i := uint64(0); tries > 0 && i < numLocalPorts; i++ {
		port := hostPort(uint16(firstLocalPort + (start+i*step)%numLocalPorts))
		ports = ports&0xffff | uint32(port)<<16
		switch owned, free := try(ports); {
		case owned && free:
			return ports, true
		case owned:
			tries--
		}
	}
	return 0, false
}

// evict makes room in a full table, at the cost of a flow that has only begun.
func (w *Worker) evict(family flow.Family) bool {
	if !w.table.Evict(family, evictBudget, w.onEnd) {
		return false
	}
	w.removed = true
	w.stats.evicted++
	return true
}

// rand is xorshift64*, enough to spread ports and next hops.
func (w *Worker) rand() uint64 {
	w.random ^= w.random >> 12
	w.random ^= w.random << 25
	w.random ^= w.random >> 27
	return w.random * 0x2545F4914F6CDD1D
}
