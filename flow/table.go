package flow

import (
	"fmt"
	"unsafe"
)

// MaxFlows is the most flows a table can hold: a Ref has 31 bits of index, and
// the wheel needs one of them.
const MaxFlows = 1 << 28

// Config is what a table is made of. It cannot change afterwards: a table that
// grew would stall its worker.
type Config struct {
	Flows    int      // capacity
	Seed     uint64   // of the hash; 0: random
	Timeouts Timeouts // zeros: DefaultTimeouts
}

// Table holds the IPv4 flows of one worker. Only that worker uses it.
type Table struct {
	keys  keys
	index index
	hot   []Entry4 // entry 0 is never used
	cold  []Cold   // parallel to hot
	pool  pool
	wheel wheel
	clock clock
	life  [NumStates]uint32 // ticks of silence that end a flow

	memory region
	bytes  int // of memory in use
}

// flagUsed in Entry4.Flags: the entry is a flow, not free.
const flagUsed = 1

const entryWords = int(unsafe.Sizeof(Entry4{}) / 4)

// The sizes that the layout and prefetch_amd64.s rely on.
var (
	_ [64]byte = [unsafe.Sizeof(Entry4{})]byte{}
	_ [56]byte = [unsafe.Offsetof(Entry4{}.wheelNext)]byte{}
	_ [60]byte = [unsafe.Offsetof(Entry4{}.wheelPrev)]byte{}
	_ [40]byte = [unsafe.Sizeof(Cold{})]byte{}
	_ [64]byte = [unsafe.Sizeof(bucket{})]byte{}
)

// New makes an empty table with all of its memory resident. Call it on the
// worker's own thread, so that the memory is of the worker's NUMA node.
func New(c Config) (*Table, error) {
	if c.Flows < 1 || c.Flows > MaxFlows {
		return nil, fmt.Errorf("create flow table: %d flows: not between 1 and %d: choose a number that is", c.Flows, MaxFlows)
	}
	life, err := c.Timeouts.ticks()
	if err != nil {
		return nil, err
	}
	t := &Table{keys: newKeys(c.Seed), life: life}
	if err := t.place(c.Flows); err != nil {
		return nil, err
	}
	return t, nil
}

// place allocates the memory and lays the parts out in it.
func (t *Table) place(flows int) (err error) {
	homes, overflow := indexSize(2 * flows)
	var l layout
	buckets := l.take((homes + overflow) * int(unsafe.Sizeof(bucket{})))
	hot := l.take((flows + 1) * int(unsafe.Sizeof(Entry4{})))
	cold := l.take((flows + 1) * int(unsafe.Sizeof(Cold{})))
	heads := l.take(wheelSlots * 4)
	if t.memory, err = allocate(l.size); err != nil {
		return err
	}
	m := t.memory.bytes
	t.bytes = l.size
	t.index = newIndex(view[bucket](m, buckets, homes+overflow), homes)
	t.hot = view[Entry4](m, hot, flows+1)
	t.cold = view[Cold](m, cold, flows+1)
	lists := links{view[uint32](m, hot, (flows+1)*entryWords), entryWords}
	t.pool = newPool(lists, flows)
	t.wheel = wheel{links: lists, heads: view[uint32](m, heads, wheelSlots)}
	return nil
}

// Close gives the memory back. Entries must not be used any more.
func (t *Table) Close() error {
	t.index, t.hot, t.cold = index{}, nil, nil // what comes too late panics
	t.pool, t.wheel = pool{}, wheel{}
	return t.memory.free()
}

// At is the entry of an index that a look-up or Insert gave.
func (t *Table) At(i Index) *Entry4 { return &t.hot[i] }

// Cold is the counters of the flow with that index.
func (t *Table) Cold(i Index) *Cold { return &t.cold[i] }

// Len is the number of flows, Cap the most there can be.
func (t *Table) Len() int { return t.pool.size - t.pool.free }

// Cap is the most flows there can be.
func (t *Table) Cap() int { return t.pool.size }

// Insert adds a flow, seen now, with zero counters. Its reply tuple is entered
// only if it has one (RepAddrs or RepPorts not 0). LastSeen, Flags and Cold are
// the table's to set. It fails when the table is full or a tuple is already
// there; who must tell these apart asks Has first, as the port allocator does.
func (t *Table) Insert(e Entry4) (Index, bool) {
	req, rep := e.RequestTuple(), e.ReplyTuple()
	reqHash, repHash := t.Hash(req), t.Hash(rep)
	replies := e.hasReply()
	if t.Find(reqHash, req) != 0 || replies && (rep == req || t.Find(repHash, rep) != 0) {
		return 0, false
	}
	i := t.pool.get()
	if i == 0 {
		return 0, false
	}
	if !t.enter(Index(i), reqHash, repHash, replies) {
		t.pool.put(i)
		return 0, false
	}
	e.Flags, e.LastSeen = flagUsed, t.clock.now
	t.hot[i] = e
	t.cold[i] = Cold{Created: t.clock.now}
	t.wheel.arm(i, t.deadline(&e))
	return Index(i), true
}

// enter puts both tuples into the index, or none.
func (t *Table) enter(i Index, reqHash, repHash uint64, replies bool) bool {
	if !t.index.put(reqHash, MakeRef(i, Request)) {
		return false
	}
	if replies && !t.index.put(repHash, MakeRef(i, Reply)) {
		t.index.remove(reqHash, MakeRef(i, Request))
		return false
	}
	return true
}

// Remove ends a flow. An index that is not in use is ignored.
func (t *Table) Remove(i Index) {
	e := &t.hot[i]
	if e.Flags&flagUsed == 0 {
		return
	}
	t.wheel.disarm(uint32(i))
	t.index.remove(t.Hash(e.RequestTuple()), MakeRef(i, Request))
	if e.hasReply() {
		t.index.remove(t.Hash(e.ReplyTuple()), MakeRef(i, Reply))
	}
	*e = Entry4{}
	t.pool.put(uint32(i))
}

// hasReply says whether the flow's replies pass the gateway.
func (e *Entry4) hasReply() bool { return e.RepAddrs|uint64(e.RepPorts) != 0 }

// Scan visits the flows from index from (0 to begin) on, looking at no more
// than budget entries, and returns where to go on; 0 when that was all. Flows
// may come and go between calls; one that lives throughout is visited once. visit must
// not insert or remove.
func (t *Table) Scan(from Index, budget int, visit func(Index, *Entry4, *Cold)) (next Index) {
	i := int(max(from, 1))
	end := min(i+budget, len(t.hot))
	for ; i < end; i++ {
		if e := &t.hot[i]; e.Flags&flagUsed != 0 {
			visit(Index(i), e, &t.cold[i])
		}
	}
	if i >= len(t.hot) {
		return 0
	}
	return Index(i)
}

// BytesPerFlow is the table's memory, all of it, for one flow at full capacity.
func (t *Table) BytesPerFlow() float64 { return float64(t.bytes) / float64(t.pool.size) }

// Stats tell how well the index does.
type Stats struct {
	Buckets      int    // home buckets
	Overflow     int    // overflow buckets in use
	OverflowCap  int    // overflow buckets there are
	LongestChain int    // most buckets a look-up ever had to walk
	Memory       string // "hugetlb" (2 MB pages), "mmap" or "heap"
}

// Stats are cheap.
func (t *Table) Stats() Stats {
	homes := int(t.index.homes)
	return Stats{homes, t.index.overflow, len(t.index.buckets) - homes, t.index.longest, t.memory.kind}
}
