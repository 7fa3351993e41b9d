package flow

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine drives a table and a model of it: a map, and a clock in plain
// durations. Tuples come from a small range, so that they meet, and are the same
// words in both families.
type machine struct {
	table    *Table
	timeouts Timeouts
	clock    time.Duration // what the table was told
	elapsed  time.Duration // forward steps of it
	flows    map[Index]*modelFlow
	tuples   map[tuple]Ref
}

type modelFlow struct {
	entry   entry
	seen    time.Duration
	changed time.Duration // its state
	Counters
}

func newMachine(t *rapid.T) *machine {
	c := Config{Flows: rapid.IntRange(1, 80).Draw(t, "flows"), Flows6: rapid.IntRange(0, 80).Draw(t, "flows6"),
		Seed: rapid.Uint64().Draw(t, "seed")}
	for s := range c.Timeouts {
		c.Timeouts[s] = rapid.SampledFrom([]time.Duration{0, Tick, 3 * Tick, time.Second, 1100 * time.Second, time.Hour,
			time.Millisecond, 333 * time.Millisecond}).Draw(t, "timeout")
	}
	table, err := New(c)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	if rapid.Bool().Draw(t, "all hashes collide") {
		table.keys[3] = 0
	}
	m := &machine{table: table, timeouts: c.Timeouts, flows: map[Index]*modelFlow{}, tuples: map[tuple]Ref{}}
	for s, d := range DefaultTimeouts() {
		if m.timeouts[s] == 0 {
			m.timeouts[s] = d
		}
	}
	m.clock = time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "origin"))
	table.Advance(m.clock)
	return m
}

const tuples = 1 << 9

func drawFamily(t *rapid.T) Family { return rapid.SampledFrom([]Family{IPv4, IPv6}).Draw(t, "family") }

func drawTuple(t *rapid.T, f Family) tuple {
	return nthTuple(f, rapid.IntRange(0, tuples-1).Draw(t, "tuple"))
}

// nthTuple puts an IPv6 tuple's addresses into one of the four words, so that
// each counts. A quarter are the words of IPv4 tuples.
func nthTuple(f Family, n int) tuple {
	k := tuple{f, Tuple6{Ports: uint32(n>>6&3 + 1), Proto: uint8(6 + n>>8*11)}}
	k.Addrs[n&3*int(f)] = uint64(n&7+1) | uint64(n>>3&7+1)<<32
	return k
}

func drawState(t *rapid.T) State { return State(rapid.IntRange(1, int(NumStates)-1).Draw(t, "state")) }

func (m *machine) insert(t *rapid.T) {
	f := drawFamily(t)
	m.add(t, drawTuple(t, f), drawTuple(t, f), rapid.Bool().Draw(t, "two-way"), drawState(t))
}

// fill adds many at once, or little would ever be full.
func (m *machine) fill(t *rapid.T) {
	f, twoWay, state := drawFamily(t), rapid.Bool().Draw(t, "two-way"), drawState(t)
	first := rapid.IntRange(0, tuples-1).Draw(t, "first")
	for i := range rapid.IntRange(1, m.table.pools[f].size+1).Draw(t, "count") {
		n := (first + 2*i) % tuples &^ 1
		m.add(t, nthTuple(f, n), nthTuple(f, n+1), twoWay, state)
	}
}

func (m *machine) add(t *rapid.T, req, rep tuple, twoWay bool, state State) {
	rep.Proto = req.Proto
	e := entry{req.family, Entry6{Addrs: [2][4]uint64{req.Addrs}, Common: Common{
		Sides: [2]Side{{Ports: req.Ports}}, Proto: req.Proto, State: state, Backend: 7}}}
	if twoWay {
		e.SetTuple(Reply, &rep.Tuple6)
	}
	taken := m.tuples[req] != 0 || twoWay && (m.tuples[rep] != 0 || req == rep)
	before := m.table.Stats()
	i, ok := e.insert(m.table)
	if !ok {
		after := m.table.Stats()
		if !taken && !m.crowded(e.family) {
			t.Fatalf("insert failed for no reason: %+v", after)
		}
		if after.Overflow != before.Overflow {
			t.Fatalf("failed insert changed the index: %+v, %+v", before, after)
		}
		return
	}
	if taken || i.position() == 0 || i.IPv6() != (e.family == IPv6) || m.flows[i] != nil {
		t.Fatalf("insert of %+v gave %d, in use %v, tuple taken %v", e, i, m.flows[i] != nil, taken)
	}
	e.Flags = flagUsed
	m.flows[i] = &modelFlow{entry: e, seen: m.elapsed}
	m.tuples[req] = MakeRef(i, Request)
	if twoWay {
		m.tuples[rep] = MakeRef(i, Reply)
	}
}

// count is how many flows of a family there are.
func (m *machine) count(f Family) (n int) {
	for i := range m.flows {
		if i.Family() == f {
			n++
		}
	}
	return n
}

// crowded says whether an insert may fail: a flow needs at most two overflow buckets.
func (m *machine) crowded(f Family) bool {
	s := m.table.Stats()
	return m.count(f) == m.table.pools[f].size || s.Overflow >= s.OverflowCap-1
}

// pick chooses a flow by its index, which does not depend on a map's order.
func (m *machine) pick(t *rapid.T) Index {
	start := rapid.IntRange(1, m.table.Cap()).Draw(t, "flow")
	for n := range m.table.Cap() {
		i := Index((start+n-1)%m.table.Cap() + 1)
		if four := Index(m.table.pools[IPv4].size); i > four {
			i = MakeIndex(IPv6, uint32(i-four))
		}
		if m.flows[i] != nil {
			return i
		}
	}
	t.Skip("no flows")
	return 0
}

func (m *machine) remove(t *rapid.T) {
	i := m.pick(t)
	m.table.Remove(i)
	m.table.Remove(i) // no longer in use: ignored
	m.forget(i)
}

func (m *machine) forget(i Index) {
	e := m.flows[i].entry
	delete(m.tuples, e.request())
	if e.hasReply() {
		delete(m.tuples, e.reply())
	}
	delete(m.flows, i)
}

func (m *machine) touch(t *rapid.T) {
	i := m.pick(t)
	m.flows[i].seen = m.elapsed
	d := Dir(rapid.IntRange(0, 1).Draw(t, "dir"))
	for range rapid.SampledFrom([]int{1, 1, 1, isFull/onePacket - 1}).Draw(t, "packets") {
		m.table.pass(i, d, 65535)
		m.flows[i].Packets[d]++
		m.flows[i].Bytes[d] += 65535
	}
}

func (m *machine) setState(t *rapid.T) {
	i, s := m.pick(t), drawState(t)
	m.table.SetState(i, s)
	m.flows[i].entry.State = s
	m.flows[i].changed = m.elapsed
}

func (m *machine) find(t *rapid.T) {
	k := drawTuple(t, drawFamily(t))
	want := m.tuples[k]
	if got := k.find(m.table); got != want || k.has(m.table) != (want != 0) {
		t.Fatalf("find %+v: %#x, want %#x", k, got, want)
	}
	if c := m.table.index.candidate(k.hash(m.table)); k.matches(m.table, c) && c != want {
		t.Fatalf("candidate for %+v matches: %#x, want %#x", k, c, want)
	}
}

// scan goes over all flows in slices: each once, IPv4 first.
func (m *machine) scan(t *rapid.T) {
	budget := rapid.IntRange(1, 50).Draw(t, "budget")
	last, seen := Index(0), 0
	for from, more := Index(0), true; more; more = from != 0 {
		visited := 0
		from = m.table.Scan(from, budget, func(i Index) {
			if m.flows[i] == nil || i <= last {
				t.Fatalf("scan shows %#x after %#x", i, last)
			}
			visited++
			last = i
		})
		if seen += visited; visited > budget {
			t.Fatalf("%d flows visited, budget %d", visited, budget)
		}
	}
	if seen != len(m.flows) {
		t.Fatalf("%d flows visited of %d", seen, len(m.flows))
	}
}

// check compares everything.
func (m *machine) check(t *rapid.T) {
	if m.table.Len() != len(m.flows) || m.table.Len6() != m.count(IPv6) {
		t.Fatalf("%d flows, %d of IPv6: want %d and %d", m.table.Len(), m.table.Len6(), len(m.flows), m.count(IPv6))
	}
	for k, want := range m.tuples {
		if got := k.find(m.table); got != want {
			t.Fatalf("find %+v: %#x, want %#x", k, got, want)
		}
	}
	for i, f := range m.flows {
		if m.table.Counters(i) != f.Counters {
			t.Fatalf("flow %d: %+v, want %+v", i, m.table.Counters(i), f.Counters)
		}
		m.table.Settle(i)
		got := m.table.entryAt(i)
		if got.LastSeen = 0; got != f.entry || m.table.Counters(i) != f.Counters {
			t.Fatalf("entry %d: %+v, want %+v", i, got, f.entry)
		}
	}
	if err := m.table.verify(len(m.tuples)); err != nil {
		t.Fatal(err)
	}
}

// end lets everything expire: then all pools are full again.
func (m *machine) end(t *rapid.T) {
	m.clock += 24 * time.Hour
	m.elapsed += 24 * time.Hour
	m.table.Advance(m.clock)
	m.expireAll(t)
	m.check(t)
	if s := m.table.Stats(); m.table.Len() != 0 || s.Overflow != 0 {
		t.Fatalf("after the end of all flows: %d flows, %+v", m.table.Len(), s)
	}
	if err := m.table.Close(); err != nil {
		t.Fatal(err)
	}
}

func tableIsAMap(t *rapid.T) {
	m := newMachine(t)
	t.Repeat(map[string]func(*rapid.T){
		"insert":     m.insert,
		"fill":       m.fill,
		"remove":     m.remove,
		"touch":      m.touch,
		"setState":   m.setState,
		"advance":    m.advance,
		"expireSome": m.expireSome,
		"expireAll":  m.expireAll,
		"find":       m.find,
		"evict":      m.evict,
		"scan":       m.scan,
		"":           m.check,
	})
	m.end(t)
}

func TestTableIsAMap(t *testing.T) { rapid.Check(t, tableIsAMap) }

// FuzzTable lets the fuzzer choose the operations of TestTableIsAMap.
func FuzzTable(f *testing.F) { f.Fuzz(rapid.MakeFuzz(tableIsAMap)) }
