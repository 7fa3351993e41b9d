package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// openings are the flows that a burst opens. Each is begun where its packet is met:
// backend, next hops and the tuple of replies are chosen. They are finished
// together, so that the cache misses of what holds their tuples overlap: loads that
// begin one by one, between other work, do not, where each misses the TLB as well.
type openings struct {
	list   [packet.BurstSize]opening
	n      int
	hashes [packet.BurstSize]uint64 // of the list's tuples of replies
	claims [256]uint64              // a bit for each hash of their tuples, which others may share
	opened int                      // how many the burst has finished: what was not in the table may be
}

// opening is a flow that has begun but is not in the table.
type opening struct {
	slot    *slot
	svc     *service.Service
	backend *service.Backend
	hash    uint64 // of the tuple of replies; ignored if the flow has none
	search  portSearch
	entry4  flow.Entry4 // of IPv4 flows
	entry6  flow.Entry6
}

// claimed says whether a flow of that hash has begun: its packet, or, by chance,
// another.
func (o *openings) claimed(hash uint64) bool {
	return o.claims[hash>>22%uint64(len(o.claims))]>>(hash>>16&63)&1 != 0
}

func (o *openings) claim(hash uint64) {
	o.claims[hash>>22%uint64(len(o.claims))] |= 1 << (hash >> 16 & 63)
}

// add keeps the opening that is last in the list.
func (o *openings) add(request, reply uint64) {
	o.claim(request)
	o.claim(reply)
	o.hashes[o.n%packet.BurstSize] = reply
	o.n++
}

// schedule chooses a backend and begins the flow.
func (w *Worker) schedule(s *slot, svc *service.Service, client service.Wire) packet.Verdict {
	backend := w.pick(svc, client)
	if backend == nil {
		return w.answer(s, modes.PortUnreachable, packet.AnsweredNoBackend, packet.DropNoBackend)
	}
	o := &w.openings.list[w.openings.n]
	o.slot, o.svc, o.backend, o.hash = s, svc, backend, 0
	c := o.common()
	w.resolve(c, client)
	if c.Sides[flow.Request].Hop == 0 {
		return w.unresolved(backend.Addr)
	}
	if w.begin(o) {
		return packet.Pending
	}
	w.openAll() // those before have taken ports that some of them do not get
	first := &w.openings.list[0]
	*first = *o
	if w.begin(first) {
		return packet.Pending
	}
	return packet.DropNoLocalPort
}

// common is a new entry's, with what a flow of the backend begins with. It is
// filled where it stays: a copy of what was just stored in pieces would wait for them.
func (o *opening) common() *flow.Common {
	c := &o.entry4.Common
	if o.slot.packet.IPv6 {
		c = &o.entry6.Common
	}
	*c = flow.Common{}
	c.Proto, c.Mode, c.Backend = o.slot.packet.Proto, o.svc.Mode, o.backend.ID
	c.State = firstState(c.Proto)
	return c
}

// begin adds a flow to the openings; false when there is no local port for it.
func (w *Worker) begin(o *opening) (ok bool) {
	o.search = portSearch{tries: localPortTries}
	if o.slot.packet.IPv6 {
		ok = w.begin6(o)
	} else {
		ok = w.begin4(o)
	}
	if ok {
		w.openings.add(o.slot.hash, o.hash)
	}
	return ok
}

// pick asks the service's scheduler; nil when it has nothing to choose.
func (w *Worker) pick(svc *service.Service, client service.Wire) *service.Backend {
	if svc.Plan == nil {
		return nil
	}
	id := svc.Plan.Pick(&w.cursors[svc.ID], w, service.FlowKey{Client: client})
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

// openAll finishes the flows that have begun.
func (w *Worker) openAll() {
	if w.openings.n == 0 {
		return
	}
	w.table.PrefetchBuckets(&w.openings.hashes, w.openings.n)
	for i := range w.openings.list[:w.openings.n] {
		o := &w.openings.list[i]
		o.slot.verdict = w.finish(o)
	}
	w.openings.opened += w.openings.n
	w.openings.n = 0
	clear(w.openings.claims[:])
}

// finish puts a flow into the table.
func (w *Worker) finish(o *opening) packet.Verdict {
	var index flow.Index
	var verdict packet.Verdict
	if o.slot.packet.IPv6 {
		index, verdict = w.finish6(o)
	} else {
		index, verdict = w.finish4(o)
	}
	if verdict != packet.Pending {
		return verdict
	}
	w.stats.created++
	w.load[o.backend.ID].flows++
	w.countFlow(o.backend.ID, firstState(o.slot.packet.Proto), +1)
	o.slot.ref = flow.MakeRef(index, flow.Request)
	return packet.Pending
}
