package worker

import (
	"net/netip"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// localPortTries bounds the search for a local port among those that this worker
// owns. With 19 of 20 of a pool in use, the chance to miss the free ones is
// 0.95^128, one in 700; the next search goes on where this one stopped. localTries
// bounds how many local addresses are looked at, of which all are full but the last.
const (
	localPortTries = 128
	localTries     = 16
)

// evictBudget is how many entries a new flow may look at, for one to take the
// place of, when the table is full. Open connections of one time lie side by side:
// with few looks, a run of them would refuse many new flows before it is passed.
const evictBudget = 64

// portSearch is where the search for a flow's local port stands. pool is what the
// port to try next is from.
type portSearch struct {
	random       uint64
	local, tries int
	pool         uint32
}

// begin4 prepares the entry of an IPv4 flow, whose request's tuple is not in the
// table: that is why we are here. The tuple of replies is as they will arrive; dr
// and tun have none (tun's backend may be of the other family). It is false when there
// is no local port.
func (w *Worker) begin4(o *opening) bool {
	e, request := &o.entry4, o.slot.tuple()
	e.Addrs = [2]uint64{}
	e.SetTuple(flow.Request, request)
	switch e.Mode {
	case service.ModeNAT:
		l := &w.load[e.Backend]
		o.setReply4(w.table, uint64(l.addr)|request.Addrs<<32, uint32(l.port)|request.Ports<<16)
	case service.ModeFullNAT:
		o.search.random = w.rand()
		return w.nextPort4(o, o.search.random)
	}
	return true
}

// fromPort is where replies come from, as it stands in their tuple.
func (o *opening) fromPort() uint32 { return uint32(hostPort(o.backend.Port)) }

// setReply4 sets the tuple of replies, and what follows from it.
func (o *opening) setReply4(t *flow.Table, addrs uint64, ports uint32) {
	reply := flow.Tuple4{Addrs: addrs, Ports: ports, Proto: o.entry4.Proto}
	o.entry4.SetTuple(flow.Reply, reply)
	o.hash = t.Hash(reply)
	modes.Prepare4(&o.entry4)
}

// nextPort4 sets the reply's tuple to the next local address and port to try and
// takes the port; false when there are no more. random is where among them.
func (w *Worker) nextPort4(o *opening, random uint64) bool {
	l := &w.load[o.entry4.Backend]
	for f, locals := &o.search, o.svc.Locals; f.local < min(len(locals), localTries); f.local++ {
		addrs, ports := uint64(l.addr)|uint64(rawAddress(nth(locals, f.random, f.local)))<<32, uint32(l.port)
		hash := w.table.Hash(flow.Tuple4{Addrs: addrs, Ports: ports, Proto: o.entry4.Proto})
		at := w.local.find4(addrs, ports, o.entry4.Proto, hash, random)
		if p := &w.local.pools[at]; p.flows < p.ports && f.tries > 0 {
			f.tries--
			o.setReply4(w.table, addrs, ports|w.local.search(p, random>>32)<<16)
			f.pool = w.local.take(at, hash)
			return true
		}
	}
	return false
}

// finish4 puts an IPv4 flow into the table, with the first port of those to try
// that is free.
func (w *Worker) finish4(o *opening) (flow.Index, packet.Verdict) {
	e := &o.entry4
	if replies(e.Mode) {
		for request, reply := e.Tuple(flow.Request), e.Tuple(flow.Reply); reply == request || w.table.Find(o.hash, reply) != 0; reply = e.Tuple(flow.Reply) {
			if e.Mode == service.ModeNAT {
				return 0, packet.DropReplyInUse
			}
			if w.freePort(o.search.pool); !w.nextPort4(o, w.rand()) {
				return 0, packet.DropNoLocalPort
			}
		}
	}
	index, ok := w.table.Add(e, o.slot.hash, o.hash)
	if !ok && w.evict(flow.IPv4) {
		index, ok = w.table.Add(e, o.slot.hash, o.hash)
	}
	return w.inserted(index, ok, o.search.pool)
}

// replies says whether a mode's replies pass the gateway.
func replies(m service.Mode) bool { return m == service.ModeNAT || m == service.ModeFullNAT }

// begin6 is begin4 for IPv6.
func (w *Worker) begin6(o *opening) bool {
	e, request := &o.entry6, o.slot.tuple6()
	e.Addrs = [2][4]uint64{}
	e.SetTuple(flow.Request, &request)
	switch e.Mode {
	case service.ModeNAT:
		reply := o.reply6(request.Addrs[0], request.Addrs[1])
		reply.Ports |= request.Ports << 16
		o.setReply6(w.table, &reply)
	case service.ModeFullNAT:
		o.search.random = w.rand()
		return w.nextPort6(o, o.search.random)
	}
	return true
}

// reply6 is the tuple of replies to an address, but for the port there.
func (o *opening) reply6(hi, lo uint64) flow.Tuple6 {
	t := flow.Tuple6{Ports: o.fromPort(), Proto: o.entry6.Proto}
	t.Addrs[0], t.Addrs[1] = rawAddress6(o.backend.Addr)
	t.Addrs[2], t.Addrs[3] = hi, lo
	return t
}

// setReply6 is setReply4 for IPv6.
func (o *opening) setReply6(t *flow.Table, reply *flow.Tuple6) {
	o.entry6.SetTuple(flow.Reply, reply)
	o.hash = t.Hash6(reply)
	modes.Prepare6(&o.entry6)
}

// nextPort6 is nextPort4 for IPv6.
func (w *Worker) nextPort6(o *opening, random uint64) bool {
	for f, locals := &o.search, o.svc.Locals; f.local < min(len(locals), localTries); f.local++ {
		reply := o.reply6(rawAddress6(nth(locals, f.random, f.local)))
		hash := w.poolHash(&reply)
		at := w.local.find(&reply, hash, random)
		if p := &w.local.pools[at]; p.flows < p.ports && f.tries > 0 {
			f.tries--
			reply.Ports |= w.local.search(p, random>>32) << 16
			f.pool = w.local.take(at, hash)
			o.setReply6(w.table, &reply)
			return true
		}
	}
	return false
}

// finish6 is finish4 for IPv6.
func (w *Worker) finish6(o *opening) (flow.Index, packet.Verdict) {
	e := &o.entry6
	if replies(e.Mode) {
		for request, reply := e.Tuple(flow.Request), e.Tuple(flow.Reply); reply == request || w.table.Find6(o.hash, &reply) != 0; reply = e.Tuple(flow.Reply) {
			if e.Mode == service.ModeNAT {
				return 0, packet.DropReplyInUse
			}
			if w.freePort(o.search.pool); !w.nextPort6(o, w.rand()) {
				return 0, packet.DropNoLocalPort
			}
		}
	}
	index, ok := w.table.Add6(e, o.slot.hash, o.hash)
	if !ok && w.evict(flow.IPv6) {
		index, ok = w.table.Add6(e, o.slot.hash, o.hash)
	}
	return w.inserted(index, ok, o.search.pool)
}

// nth is one of the addresses, by chance, and those after it.
func nth(locals []netip.Addr, random uint64, i int) netip.Addr {
	at := int(random>>32*uint64(len(locals))>>32) + i
	if at >= len(locals) {
		at -= len(locals)
	}
	return locals[at]
}

// inserted notes which pool the local port of a new flow is from; it is free
// again when there was no room for the flow.
func (w *Worker) inserted(index flow.Index, ok bool, pool uint32) (flow.Index, packet.Verdict) {
	if !ok {
		w.freePort(pool)
		return 0, packet.DropTableFull
	}
	w.table.SetNote(index, pool)
	return index, packet.Pending
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
