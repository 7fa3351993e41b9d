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

// insert4 makes the entry of an IPv4 flow. Its request's tuple is not in the
// table: that is why we are here.
func (w *Worker) insert4(s *slot, c flow.Common, svc *service.Service, backend *service.Backend) (flow.Index, packet.Verdict) {
	e := flow.Entry4{Common: c}
	e.SetTuple(flow.Request, s.tuple())
	hash, pool, verdict := w.reply4(&e, svc, backend)
	if verdict != packet.Pending {
		return 0, verdict
	}
	index, ok := w.table.Add(&e, s.hash, hash)
	if !ok && w.evict(flow.IPv4) {
		index, ok = w.table.Add(&e, s.hash, hash)
	}
	return w.inserted(index, ok, pool)
}

// reply4 sets the tuple of replies as they will arrive, and returns its hash and,
// for fullnat, the pool that its local port is from; dr and tun have none.
func (w *Worker) reply4(e *flow.Entry4, svc *service.Service, backend *service.Backend) (hash uint64, pool uint32, _ packet.Verdict) {
	if svc.Mode != service.ModeNAT && svc.Mode != service.ModeFullNAT {
		return 0, 0, packet.Pending // tun: the backend may be of the other family
	}
	request := e.Tuple(flow.Request)
	reply := flow.Tuple4{Addrs: uint64(rawAddress(backend.Addr)), Ports: uint32(hostPort(backend.Port)), Proto: e.Proto}
	if svc.Mode == service.ModeNAT {
		reply.Addrs |= request.Addrs << 32
		reply.Ports |= request.Ports << 16
		hash = w.table.Hash(reply)
		if reply == request || w.table.Find(hash, reply) != 0 {
			return 0, 0, packet.DropReplyInUse
		}
	} else if hash, pool = w.localPort4(&reply, request, svc.Locals); hash == 0 {
		return 0, 0, packet.DropNoLocalPort
	}
	e.SetTuple(flow.Reply, reply)
	modes.Prepare4(e)
	return hash, pool, packet.Pending
}

// localPort4 completes the tuple of replies, which has its source, with a local
// address and a port that is free towards that source, and returns the tuple's
// hash; 0 when it finds none. (A tuple whose hash is 0, one in 2^64, is passed over.)
func (w *Worker) localPort4(reply *flow.Tuple4, request flow.Tuple4, locals []netip.Addr) (hash uint64, pool uint32) {
	backend, random, tries := *reply, w.rand(), localPortTries
	for i := range min(len(locals), localTries) {
		reply.Addrs = backend.Addrs | uint64(rawAddress(nth(locals, random, i)))<<32
		key := flow.Tuple6{Addrs: [4]uint64{reply.Addrs}, Ports: backend.Ports, Proto: backend.Proto}
		keyHash := w.table.Hash6(&key)
		at := w.local.find(&key, keyHash, random)
		for p := &w.local.pools[at]; p.flows < p.ports && tries > 0; tries-- {
			reply.Ports = backend.Ports | w.local.search(p, w.rand())<<16
			hash = w.table.Hash(*reply)
			if w.table.Find(hash, *reply) == 0 && *reply != request && hash != 0 {
				return hash, w.local.take(at, keyHash)
			}
		}
	}
	return 0, 0
}

// insert6 is insert4 for IPv6.
func (w *Worker) insert6(s *slot, c flow.Common, svc *service.Service, backend *service.Backend) (flow.Index, packet.Verdict) {
	e, request := flow.Entry6{Common: c}, s.tuple6()
	e.SetTuple(flow.Request, &request)
	hash, pool, verdict := w.reply6(&e, &request, svc, backend)
	if verdict != packet.Pending {
		return 0, verdict
	}
	index, ok := w.table.Add6(&e, s.hash, hash)
	if !ok && w.evict(flow.IPv6) {
		index, ok = w.table.Add6(&e, s.hash, hash)
	}
	return w.inserted(index, ok, pool)
}

// reply6 is reply4 for IPv6.
func (w *Worker) reply6(e *flow.Entry6, request *flow.Tuple6, svc *service.Service, backend *service.Backend) (hash uint64, pool uint32, _ packet.Verdict) {
	if svc.Mode != service.ModeNAT && svc.Mode != service.ModeFullNAT {
		return 0, 0, packet.Pending // tun: the backend may be of the other family
	}
	reply := flow.Tuple6{Ports: uint32(hostPort(backend.Port)), Proto: e.Proto}
	reply.Addrs[0], reply.Addrs[1] = rawAddress6(backend.Addr)
	if svc.Mode == service.ModeNAT {
		reply.Addrs[2], reply.Addrs[3] = request.Addrs[0], request.Addrs[1]
		reply.Ports |= request.Ports << 16
		hash = w.table.Hash6(&reply)
		if reply == *request || w.table.Find6(hash, &reply) != 0 {
			return 0, 0, packet.DropReplyInUse
		}
	} else if hash, pool = w.localPort6(&reply, request, svc.Locals); hash == 0 {
		return 0, 0, packet.DropNoLocalPort
	}
	e.SetTuple(flow.Reply, &reply)
	modes.Prepare6(e)
	return hash, pool, packet.Pending
}

// localPort6 is localPort4 for IPv6.
func (w *Worker) localPort6(reply, request *flow.Tuple6, locals []netip.Addr) (hash uint64, pool uint32) {
	ports, random, tries := reply.Ports, w.rand(), localPortTries
	for i := range min(len(locals), localTries) {
		reply.Addrs[2], reply.Addrs[3] = rawAddress6(nth(locals, random, i))
		reply.Ports = ports
		keyHash := w.table.Hash6(reply)
		at := w.local.find(reply, keyHash, random)
		for p := &w.local.pools[at]; p.flows < p.ports && tries > 0; tries-- {
			reply.Ports = ports | w.local.search(p, w.rand())<<16
			hash = w.table.Hash6(reply)
			if w.table.Find6(hash, reply) == 0 && *reply != *request && hash != 0 {
				return hash, w.local.take(at, keyHash)
			}
		}
	}
	return 0, 0
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
