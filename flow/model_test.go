package flow

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// machine drives a table and a model of it: a map, and a clock in plain
// durations. Tuples come from a small range, so that they meet.
type machine struct {
	table    *Table
	timeouts Timeouts
	clock    time.Duration // what the table was told
	elapsed  time.Duration // forward steps of it
	flows    map[Index]*modelFlow
	tuples   map[Tuple4]Ref
}

type modelFlow struct {
	entry   Entry4
	seen    time.Duration
	changed time.Duration // its state
	in      uint64
}

func newMachine(t *rapid.T) *machine {
	c := Config{Flows: rapid.IntRange(1, 80).Draw(t, "flows"), Seed: rapid.Uint64().Draw(t, "seed")}
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
	m := &machine{table: table, timeouts: c.Timeouts, flows: map[Index]*modelFlow{}, tuples: map[Tuple4]Ref{}}
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

func drawTuple(t *rapid.T) Tuple4 { return nthTuple(rapid.IntRange(0, tuples-1).Draw(t, "tuple")) }

func nthTuple(n int) Tuple4 {
	return Tuple4{uint64(n&7+1) | uint64(n>>3&7+1)<<32, uint32(n>>6&3 + 1), uint8(6 + n>>8*11)}
}

func drawState(t *rapid.T) State { return State(rapid.IntRange(1, int(NumStates)-1).Draw(t, "state")) }

func (m *machine) insert(t *rapid.T) {
	m.add(t, drawTuple(t), drawTuple(t), rapid.Bool().Draw(t, "two-way"), drawState(t))
}

// fill adds many at once, or little would ever be full.
func (m *machine) fill(t *rapid.T) {
	twoWay, state := rapid.Bool().Draw(t, "two-way"), drawState(t)
	first := rapid.IntRange(0, tuples-1).Draw(t, "first")
	for i := range rapid.IntRange(1, m.table.Cap()+1).Draw(t, "count") {
		n := (first + 2*i) % tuples &^ 1
		m.add(t, nthTuple(n), nthTuple(n+1), twoWay, state)
	}
}

func (m *machine) add(t *rapid.T, req, rep Tuple4, twoWay bool, state State) {
	rep.Proto = req.Proto
	e := Entry4{ReqAddrs: req.Addrs, ReqPorts: req.Ports,
		Common: Common{Proto: req.Proto, State: state, Backend: 7}}
	if twoWay {
		e.RepAddrs, e.RepPorts = rep.Addrs, rep.Ports
	}
	taken := m.tuples[req] != 0 || twoWay && (m.tuples[rep] != 0 || req == rep)
	before := m.table.Stats()
	i, ok := m.table.Insert(e)
	if !ok {
		after := m.table.Stats()
		exhausted := after.Overflow >= after.OverflowCap-1 // a flow needs at most two
		if !taken && len(m.flows) < m.table.Cap() && !exhausted {
			t.Fatalf("insert failed for no reason: %+v", after)
		}
		if after.Overflow != before.Overflow {
			t.Fatalf("failed insert changed the index: %+v, %+v", before, after)
		}
		return
	}
	if taken || i == 0 || m.flows[i] != nil {
		t.Fatalf("insert of %+v gave %d, in use %v, tuple taken %v", e, i, m.flows[i] != nil, taken)
	}
	e.Flags = flagUsed
	m.flows[i] = &modelFlow{entry: e, seen: m.elapsed}
	m.tuples[req] = MakeRef(i, Request)
	if twoWay {
		m.tuples[rep] = MakeRef(i, Reply)
	}
}

// pick chooses a flow by its index, which does not depend on a map's order.
func (m *machine) pick(t *rapid.T) Index {
	start := rapid.IntRange(1, m.table.Cap()).Draw(t, "flow")
	for n := range m.table.Cap() {
		if i := Index((start+n-1)%m.table.Cap() + 1); m.flows[i] != nil {
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
	delete(m.tuples, e.RequestTuple())
	if e.RepAddrs != 0 {
		delete(m.tuples, e.ReplyTuple())
	}
	delete(m.flows, i)
}

func (m *machine) touch(t *rapid.T) {
	i := m.pick(t)
	m.table.Touch(m.table.Common(i))
	m.table.Cold(i).InPackets++
	m.flows[i].seen = m.elapsed
	m.flows[i].in++
}

func (m *machine) setState(t *rapid.T) {
	i, s := m.pick(t), drawState(t)
	m.table.SetState(i, s)
	m.flows[i].entry.State = s
	m.flows[i].changed = m.elapsed
}

func (m *machine) advance(t *rapid.T) {
	step := rapid.OneOf(
		rapid.Int64Range(0, int64(2*Tick)),
		rapid.Int64Range(-int64(time.Minute), int64(20*time.Minute)),
		rapid.Int64Range(-int64(time.Hour), int64(5*time.Hour)),
	).Draw(t, "step")
	m.clock += time.Duration(step)
	m.elapsed += time.Duration(max(step, 0))
	m.table.Advance(m.clock)
}

// expireSome works with a small budget: what ends must be due, what stays need not.
func (m *machine) expireSome(t *rapid.T) { m.expire(t, rapid.IntRange(0, 50).Draw(t, "budget")) }

func (m *machine) expire(t *rapid.T, budget int) {
	calls := 0
	n := m.table.Expire(budget, func(i Index, _ *Common) {
		calls++
		e := m.table.At(i)
		f := m.flows[i]
		if f == nil {
			t.Fatalf("flow %d expired, but is not there", i)
		}
		if idle := m.elapsed - f.seen; idle < m.timeouts[f.entry.State] {
			t.Fatalf("flow %d in %v expired early, after %v", i, f.entry.State, idle)
		}
		if e.RequestTuple() != f.entry.RequestTuple() || !m.table.Has(e.RequestTuple()) {
			t.Fatalf("flow %d is gone before the callback", i)
		}
		m.forget(i)
	})
	if n != calls || n > budget {
		t.Fatalf("%d flows expired, %d reported, budget %d", calls, n, budget)
	}
}

// expireAll gives all the budget there can be need of: nothing due may stay. A
// change of state that ends a flow at once works from the next tick on.
func (m *machine) expireAll(t *rapid.T) {
	m.expire(t, wheelSlots+m.table.Cap()+1)
	for i, f := range m.flows {
		life := (m.timeouts[f.entry.State] + Tick - 1).Truncate(Tick)
		if m.elapsed >= max(f.seen+life, f.changed)+Tick {
			t.Fatalf("flow %d in %v is still there after %v", i, f.entry.State, m.elapsed-f.seen)
		}
		if left := m.table.TimeLeft(m.table.Common(i)); left < 0 || left > life+Tick {
			t.Fatalf("flow %d in %v has %v left of %v", i, f.entry.State, left, life)
		}
	}
}

func (m *machine) find(t *rapid.T) {
	k := drawTuple(t)
	hash := m.table.Hash(k)
	want := m.tuples[k]
	if got := m.table.Find(hash, k); got != want || m.table.Has(k) != (want != 0) {
		t.Fatalf("find %+v: %d, want %d", k, got, want)
	}
	if c := m.table.Candidate(hash); m.table.Match(c, k) && c != want {
		t.Fatalf("candidate for %+v matches: %d, want %d", k, c, want)
	}
}

// check compares everything.
func (m *machine) check(t *rapid.T) {
	if m.table.Len() != len(m.flows) {
		t.Fatalf("%d flows, want %d", m.table.Len(), len(m.flows))
	}
	for k, want := range m.tuples {
		if got := m.table.Find(m.table.Hash(k), k); got != want {
			t.Fatalf("find %+v: %d, want %d", k, got, want)
		}
	}
	for i, f := range m.flows {
		got := *m.table.At(i)
		got.wheelNext, got.wheelPrev, got.LastSeen = 0, 0, 0
		if got != f.entry || m.table.Cold(i).InPackets != f.in {
			t.Fatalf("entry %d: %+v, want %+v", i, got, f.entry)
		}
	}
	if err := m.table.verify(len(m.tuples)); err != nil {
		t.Fatal(err)
	}
}

// verify checks that index, pool and wheel agree.
func (t *Table) verify(tuples int) error {
	if n, err := t.index.verify(); err != nil || n != tuples {
		return fmt.Errorf("%d refs, want %d: %w", n, tuples, err)
	}
	free := 0
	for i := t.pools[IPv4].first; i != 0; i = t.pools[IPv4].next(i) {
		free++
	}
	armed := 0
	for slot, i := range t.wheel.heads {
		for prev := uint32(slot) | slotMark; i != 0; prev, i = i, t.wheel.next(i) {
			e := t.common(Index(i))
			if t.wheel.prev(i) != prev {
				return fmt.Errorf("entry %d: linked to %#x, want %#x", i, t.wheel.prev(i), prev)
			}
			look := t.wheel.tick + (uint32(slot)-t.wheel.tick)%wheelSlots
			if late := int32(look - t.deadline(e)); late > 0 && int32(look-t.clock.now) > 1 {
				return fmt.Errorf("entry %d: due in tick %d, looked at in %d, now %d", i, t.deadline(e), look, t.clock.now)
			}
			armed++
		}
	}
	if free != t.pools[IPv4].free || armed != t.Len() || free+armed != t.Cap() {
		return fmt.Errorf("%d entries in the wheel, %d free (%d counted) of %d", armed, free, t.pools[IPv4].free, t.Cap())
	}
	return nil
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
		"":           m.check,
	})
	m.end(t)
}

func TestTableIsAMap(t *testing.T) { rapid.Check(t, tableIsAMap) }

// FuzzTable lets the fuzzer choose the operations of TestTableIsAMap.
func FuzzTable(f *testing.F) { f.Fuzz(rapid.MakeFuzz(tableIsAMap)) }
