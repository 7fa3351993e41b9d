package flow

import (
	"time"

	"pgregory.net/rapid"
)

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
	n := m.table.Expire(budget, func(i Index, e *Common) {
		calls++
		f := m.flows[i]
		if f == nil {
			t.Fatalf("flow %d expired, but is not there", i)
		}
		if idle := m.elapsed - f.seen; idle < m.timeouts[f.entry.State] {
			t.Fatalf("flow %d in %v expired early, after %v", i, f.entry.State, idle)
		}
		if e != m.table.Common(i) || m.table.entryAt(i).Addrs != f.entry.Addrs || !f.entry.request().has(m.table) {
			t.Fatalf("flow %d is gone before the callback", i)
		}
		m.forget(i)
	})
	if n != calls || n > budget {
		t.Fatalf("%d flows expired, %d reported, budget %d", calls, n, budget)
	}
}

// evict ends one flow that is embryonic and silent for longer than a handshake
// when the table is full.
func (m *machine) evict(t *rapid.T) {
	f, budget := drawFamily(t), rapid.IntRange(0, 100).Draw(t, "budget")
	crowded := m.crowded(f)
	var ended Index
	ok := m.table.Evict(f, budget, func(i Index, e *Common) {
		if ended != 0 || i.Family() != f || m.flows[i] == nil || !m.embryonic(i) || m.elapsed-m.flows[i].seen <= Handshake || e != m.table.Common(i) {
			t.Fatalf("evicted %#x, after %#x", i, ended)
		}
		ended = i
	})
	if ok != (ended != 0) || ok && !crowded {
		t.Fatalf("evicted %#x: said %v, crowded %v", ended, ok, crowded)
	}
	if ok {
		m.forget(ended)
		return
	}
	for i, flow := range m.flows {
		late := m.elapsed-max(flow.seen, flow.changed) > Handshake+2*Tick // as ticks round
		if i.Family() == f && crowded && budget >= m.table.pools[f].size && m.embryonic(i) && late {
			t.Fatalf("flow %#x was not evicted", i)
		}
	}
}

func (m *machine) embryonic(i Index) bool {
	f := m.flows[i]
	return f.entry.State == StateSynReceived || f.entry.State == StateUDP && f.Packets[Request] <= 1 && f.Packets[Reply] == 0
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
