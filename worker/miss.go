package worker

import (
	"encoding/binary"
	"net/netip"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// miss decides about every packet that has no flow: it is the kernel's, it is
// dropped for a reason, or it opens a flow. It looks once more first: lookup has
// seen home buckets only, and the first packet of a new flow in this burst may
// have made the entry of the second.
func (w *Worker) miss(slots []slot) {
	for i := range slots {
		s := &slots[i]
		if s.verdict != packet.Pending {
			continue
		}
		if s.ref == 0 && !s.packet.Fragment {
			s.ref = w.table.Find(s.hash, s.tuple())
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
	if s.packet.Proto != packet.ProtoTCP || s.packet.TCPFlags&which != packet.SYN || s.ref.Dir() != flow.Request {
		return false
	}
	if w.removed && !w.findAgain(s) {
		return true
	}
	e := w.table.At(s.ref.Index())
	if e.State != flow.StateTimeWait && e.State != flow.StateClose {
		return false
	}
	if !w.snap.Backends.At(uint32(e.Backend)).Present {
		return false // dropped silently, even new SYNs on that tuple
	}
	w.end(s.ref.Index(), &e.Common)
	w.table.Remove(s.ref.Index())
	w.removed = true
	s.ref = 0
	return true
}

// open finds whose packet it is and, for a service's, makes a flow.
func (w *Worker) open(s *slot) packet.Verdict {
	key := destination(&s.packet)
	if w.snap.Role(address(uint32(s.packet.Addrs))) != 0 {
		return packet.DropOwnSource
	}
	role := w.snap.Role(key.Addr)
	if role == 0 {
		return w.kernels(s)
	}
	if s.packet.Fragment {
		return packet.DropFragment
	}
	svc := w.snap.Lookup(key)
	if svc == nil {
		if role&service.RoleLocal != 0 && key.Port >= firstLocalPort {
			return packet.DropNoFlow
		}
		return w.kernels(s)
	}
	if s.packet.Proto == packet.ProtoTCP && s.packet.TCPFlags&(packet.SYN|packet.RST) != packet.SYN {
		return w.kernels(s) // no flow and no SYN: the local stack resets it
	}
	return w.schedule(s, svc, key)
}

// kernels ranks a TCP or UDP packet for the kernel.
func (w *Worker) kernels(s *slot) packet.Verdict {
	s.packet.Class = packet.ClassOther
	if !s.packet.Fragment {
		s.packet.Class = packet.ClassOfPorts(s.packet.Proto, s.packet.Ports)
	}
	return packet.Kernel
}

// schedule chooses a backend and makes the flow.
func (w *Worker) schedule(s *slot, svc *service.Service, key service.Key) packet.Verdict {
	backend := w.pick(s, svc, key)
	if backend == nil {
		return w.answer(s, modes.PortUnreachable, packet.AnsweredNoBackend, packet.DropNoBackend)
	}
	e := flow.Entry4{
		ReqAddrs: s.packet.Addrs, ReqPorts: s.packet.Ports,
		Common: flow.Common{
			Proto: s.packet.Proto, Mode: svc.Mode, State: firstState(s.packet.Proto),
			Service: svc.ID, Backend: backend.ID,
		},
	}
	w.resolve(&e)
	if e.HopReq == 0 {
		return w.unresolved(&e, flow.Request)
	}
	if verdict := w.translate(&e, svc, backend); verdict != packet.Pending {
		return verdict
	}
	index, ok := w.table.Insert(e)
	if !ok {
		return packet.DropTableFull
	}
	w.stats.created++
	w.load[backend.ID].flows++
	w.countFlow(backend.ID, e.State, +1)
	s.ref = flow.MakeRef(index, flow.Request)
	return packet.Pending
}

// pick asks the service's scheduler; nil when it has nothing to choose.
func (w *Worker) pick(s *slot, svc *service.Service, key service.Key) *service.Backend {
	if svc.Plan == nil {
		return nil
	}
	id := svc.Plan.Pick(&w.cursors[svc.ID], w, service.FlowKey{
		Client: address(uint32(s.packet.Addrs)), ClientPort: hostPort(uint16(s.packet.Ports)),
		VIP: key.Addr, VPort: key.Port,
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

// destination is what the packet addresses, in host order.
func destination(p *packet.Parsed) service.Key {
	return service.Key{Proto: p.Proto, Addr: address(uint32(p.Addrs >> 32)), Port: hostPort(uint16(p.Ports >> 16))}
}

// address converts a raw IPv4 address, rawAddress the other way.
func address(raw uint32) netip.Addr {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], raw)
	return netip.AddrFrom4(b)
}

func rawAddress(a netip.Addr) uint32 {
	b := a.As4()
	return binary.LittleEndian.Uint32(b[:])
}

// hostPort converts a port between raw and host order, either way.
func hostPort(raw uint16) uint16 { return raw>>8 | raw<<8 }
