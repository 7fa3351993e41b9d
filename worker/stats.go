package worker

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// counters are the worker's own; nobody else reads them.
type counters struct {
	verdicts            [packet.NumVerdicts]uint64
	received, generated uint64
	created, expired    uint64
	evicted             uint64
	polls, busyPolls    uint64
}

// load is what a worker counts for a backend: one cache line.
type load struct {
	passed           [2]passed // by flow.Dir
	flows            uint64
	active, inactive int32
	mark             mark
	_                byte
	port             uint16            // raw, and
	addr             uint32            // raw, of IPv4: where its replies come from
	hop              service.NextHopID // of requests, valid for
	netEpoch         uint32            // this view of the network; 0: for none
}

type passed struct{ packets, bytes uint64 }

// multitude is so many backends that what a worker has of them leaves the nearest
// caches.
const multitude = 1024

// outer is a backend's outer header, in a cache line of its own.
type outer struct {
	packet.Outer
	_ [cacheLine - unsafe.Sizeof(packet.Outer{})]byte
}

const cacheLine = 64

// As flow.Owned has them.
var (
	_ [cacheLine]byte = [unsafe.Sizeof(load{})]byte{}
	_ [cacheLine]byte = [unsafe.Sizeof(outer{})]byte{}
	_ [32]byte        = [service.HopSize]byte{}
)

// count adds a packet of that many bytes.
func (l *load) count(d flow.Dir, bytes uint64) {
	p := &l.passed[d&1]
	p.packets++
	p.bytes += bytes
}

// mark is what the worker has to know of a backend besides its counters.
type mark uint8

const (
	counted mark = 1 << iota // has to be published
	gone                     // removed: requests of its flows are dropped
)

// Stats is the published copy of a worker's counters: it writes them a few
// times a second, anybody reads. Counters only grow, but for the gauges
// Flows, Flows6, Active and Inactive.
type Stats struct {
	Verdicts            [packet.NumVerdicts]atomic.Uint64
	Received, Generated atomic.Uint64
	Created, Expired    atomic.Uint64
	Evicted             atomic.Uint64
	Polls, BusyPolls    atomic.Uint64
	Flows, Flows6       atomic.Uint64 // of both families, of IPv6 alone
	backends            []publishedLoad
	pace                pace

	// revision is the snapshot whose flows the backends' numbers include.
	revision atomic.Uint64
}

type publishedLoad struct {
	inPackets, inBytes   atomic.Uint64
	outPackets, outBytes atomic.Uint64
	flows                atomic.Uint64
	active, inactive     atomic.Int32
	_                    [16]byte
}

// Load is a backend's share of one worker.
type Load struct {
	Flows                uint64 // created
	Active, Inactive     uint64 // now
	InPackets, InBytes   uint64
	OutPackets, OutBytes uint64
}

// Add adds another worker's share.
func (l *Load) Add(other Load) {
	l.Flows += other.Flows
	l.Active += other.Active
	l.Inactive += other.Inactive
	l.InPackets += other.InPackets
	l.InBytes += other.InBytes
	l.OutPackets += other.OutPackets
	l.OutBytes += other.OutBytes
}

// Since is what was counted after base; the gauges are as they are now.
func (l Load) Since(base Load) Load {
	l.Flows -= base.Flows
	l.InPackets -= base.InPackets
	l.InBytes -= base.InBytes
	l.OutPackets -= base.OutPackets
	l.OutBytes -= base.OutBytes
	return l
}

func (s *Stats) init(backends, ports int) {
	s.backends = make([]publishedLoad, backends)
	s.pace.ports = make([]publishedArrivals, ports)
}

// Backend reads what was published of a backend.
func (s *Stats) Backend(id service.BackendID) Load {
	p := &s.backends[id]
	return Load{
		Flows: p.flows.Load(), Active: uint64(max(p.active.Load(), 0)), Inactive: uint64(max(p.inactive.Load(), 0)),
		InPackets: p.inPackets.Load(), InBytes: p.inBytes.Load(),
		OutPackets: p.outPackets.Load(), OutBytes: p.outBytes.Load(),
	}
}

// Revision is the snapshot revision up to which the numbers of flows are
// complete: all flows that the worker created from older snapshots are in them.
func (s *Stats) Revision() uint64 { return s.revision.Load() }

// Stats are the worker's published counters. Safe from any goroutine.
func (w *Worker) Stats() *Stats { return &w.published }

const (
	publishEvery  = 50 * time.Millisecond // or, with very many backends,
	publishRest   = 5 * time.Microsecond  // for each: a twentieth of the time then
	publishBudget = 64                    // backends a poll
)

// publishing is one round of publishing: the backends that were touched before
// it began. Those touched meanwhile wait for the next, or under load no round
// would ever end.
type publishing struct {
	left     []service.BackendID
	pause    time.Duration // until the next one begins
	revision uint64        // of the snapshot when it began
	last     time.Duration
}

// touchLoad remembers that a backend's numbers have to be published.
func (w *Worker) touchLoad(id service.BackendID, l *load) {
	if l.mark&counted == 0 {
		l.mark |= counted
		w.dirty = append(w.dirty, id) // never beyond its capacity: one place a backend
	}
}

// mark is touchLoad for the loops that call nothing; false when the backend is gone.
func (w *Worker) mark(l *load, id service.BackendID) bool {
	if l.mark != 0 {
		return false
	}
	l.mark = counted
	n := len(w.dirty)
	w.dirty = w.dirty[:n+1]
	w.dirty[n] = id
	return true
}

// publish copies the counters for readers, a slice of backends at a time.
func (w *Worker) publish(now time.Duration) {
	r := &w.round
	if now-r.last < r.pause {
		return
	}
	if len(r.left) == 0 {
		w.beginRound()
	}
	w.publishLoads(publishBudget)
	if len(r.left) == 0 {
		r.last = now
		w.publishCounters()
	}
}

// publishAll leaves nothing unpublished.
func (w *Worker) publishAll() {
	w.publishLoads(len(w.round.left))
	w.beginRound()
	w.publishLoads(len(w.round.left))
	w.publishCounters()
}

func (w *Worker) beginRound() {
	r := &w.round
	r.left, w.dirty = w.dirty, r.left[:0]
	r.revision = w.snap.Revision
	r.pause = max(publishEvery, time.Duration(len(r.left))*publishRest)
}

func (w *Worker) publishLoads(budget int) {
	r := &w.round
	n := min(budget, len(r.left))
	rest := len(r.left) - n
	for _, id := range r.left[rest:] {
		l, p := &w.load[id], &w.published.backends[id]
		l.mark &^= counted
		store(&p.inPackets, l.passed[flow.Request].packets)
		store(&p.inBytes, l.passed[flow.Request].bytes)
		store(&p.outPackets, l.passed[flow.Reply].packets)
		store(&p.outBytes, l.passed[flow.Reply].bytes)
		store(&p.flows, l.flows)
		p.active.Store(l.active)
		p.inactive.Store(l.inactive)
	}
	r.left = r.left[:rest]
}

// store is Store where nobody else stores: what has not changed costs no time.
func store(to *atomic.Uint64, value uint64) {
	if to.Load() != value {
		to.Store(value)
	}
}

func (w *Worker) publishCounters() {
	c, p := &w.stats, &w.published
	for v := range c.verdicts {
		p.Verdicts[v].Store(c.verdicts[v])
	}
	p.Received.Store(c.received)
	p.Generated.Store(c.generated)
	p.Created.Store(c.created)
	p.Expired.Store(c.expired)
	p.Evicted.Store(c.evicted)
	p.Polls.Store(c.polls)
	p.BusyPolls.Store(c.busyPolls)
	p.Flows.Store(uint64(w.table.Len()))
	p.Flows6.Store(uint64(w.table.Len6()))
	w.publishPace()
	p.revision.Store(w.round.revision)
}
