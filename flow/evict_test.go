package flow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

// force inserts as a worker does: when there is no room, one look for a victim.
func force(table *Table, e entry, budget int, ended func(Index, *Common)) (Index, bool) {
	i, ok := e.insert(table)
	if !ok && table.Evict(e.family, budget, ended) {
		i, ok = e.insert(table)
	}
	return i, ok
}

// forget lets what has begun so far grow old enough to go.
func forget(table *Table) {
	table.Advance(table.clock.last) // starts the clock, if nobody has
	table.Advance(table.clock.last + Handshake + 2*Tick)
}

// A flood of SYNs, five times the table, against a table with live connections
// and some that close: those all stay, and of the flood the newest.
func TestFloodSparesTheEstablished(t *testing.T) {
	const flows, live, budget = 2000, 1500, 64
	for f := range numFamilies {
		table := newTable(t, Config{Flows: flows, Flows6: flows, Seed: 1})
		kept := map[Index]entry{}
		for n := range live {
			e := either(f, n)
			e.State = []State{StateEstablished, StateEstablished, StateFinWait, StateTimeWait, StateClose}[n%5]
			i, ok := e.insert(table)
			require.True(t, ok)
			kept[i] = e
		}
		evicted, dropped := 0, 0
		var accepted []entry
		for n := range 5 * flows {
			table.Advance(time.Duration(n) * 2 * Handshake / (flows - live))
			e := either(f, live+n)
			e.State = StateSynReceived
			_, ok := force(table, e, budget, func(i Index, c *Common) {
				require.NotContains(t, kept, i)
				require.Equal(t, StateSynReceived, c.State)
				evicted++
			})
			if require.Equal(t, ok, e.request().has(table)); !ok {
				dropped++
				continue
			}
			accepted = append(accepted, e)
		}
		for _, e := range accepted[len(accepted)-(flows-live):] {
			require.True(t, e.request().has(table), "the newest")
		}
		require.Equal(t, flows, table.Len())
		require.Equal(t, 5*flows, flows-live+evicted+dropped)
		rounds := evicted/(flows-live) + 1
		require.LessOrEqual(t, dropped, rounds*(live/budget+1), "the live ones lie in one run, which the hand crosses once a round")
		for i, e := range kept {
			require.Equal(t, MakeRef(i, Request), e.request().find(table))
		}
		require.NoError(t, table.verify(2*flows))
	}
}

// Among flows of its own kind a new one replaces the oldest, and the table never
// refuses.
func TestFloodGoesRoundByAge(t *testing.T) {
	const flows = 100
	table := newTable(t, Config{Flows: flows})
	syn := func(n int) entry {
		e := either(IPv4, n)
		e.State = StateSynReceived
		return e
	}
	for n := range 10 * flows {
		table.Advance(time.Duration(n) * 2 * Handshake / flows)
		e := syn(n)
		_, ok := force(table, e, 1, ignore)
		require.True(t, ok)
		if n >= flows {
			gone, next := syn(n-flows), syn(n-flows+1)
			require.False(t, gone.request().has(table))
			require.True(t, next.request().has(table))
		}
	}
}

func TestWhoIsEmbryonic(t *testing.T) {
	cases := []struct {
		name    string
		proto   uint8
		state   State
		in, out uint64
		want    bool
	}{
		{"half open", packet.ProtoTCP, StateSynReceived, 1, 0, true},
		{"half open, SYN sent again, SYN+ACK seen", packet.ProtoTCP, StateSynReceived, 3, 2, true},
		{"established, silent", packet.ProtoTCP, StateEstablished, 1, 0, false},
		{"closing", packet.ProtoTCP, StateFinWait, 1, 0, false},
		{"closed", packet.ProtoTCP, StateClose, 1, 0, false},
		{"in TIME_WAIT", packet.ProtoTCP, StateTimeWait, 1, 0, false},
		{"udp, made just now", packet.ProtoUDP, StateUDP, 0, 0, true},
		{"udp, one packet", packet.ProtoUDP, StateUDP, 1, 0, true},
		{"udp, answered", packet.ProtoUDP, StateUDP, 1, 1, false},
		{"udp, two packets", packet.ProtoUDP, StateUDP, 2, 0, false},
	}
	for _, c := range cases {
		for f := range numFamilies {
			table := newTable(t, Config{Flows: 1, Flows6: 1})
			e := either(f, 1)
			e.Proto, e.State = c.proto, c.state
			i, ok := e.insert(table)
			require.True(t, ok)
			for range c.in {
				table.pass(i, Request, 40)
			}
			for range c.out {
				table.pass(i, Reply, 40)
			}
			forget(table)
			var ended []Index
			require.Equal(t, c.want, table.Evict(f, 1, func(i Index, _ *Common) { ended = append(ended, i) }), c.name)
			require.Equal(t, c.want, len(ended) == 1, c.name)
			require.Equal(t, !c.want, e.request().has(table), c.name)
		}
	}
}

// Ten times the SYNs that the table has room for: what gets in stays for as long
// as a handshake may take, so that no client that was answered is reset by its ACK.
func TestFloodSparesHandshakes(t *testing.T) {
	const flows, step = 500, Handshake / 5000
	for f := range numFamilies {
		table := newTable(t, Config{Flows: flows, Flows6: flows})
		var accepted []entry // the oldest first
		began, now := map[entry]time.Duration{}, time.Duration(0)
		for n := range 50000 {
			now += step
			table.Advance(now)
			for len(accepted) > 0 && now-began[accepted[0]] > Handshake {
				accepted = accepted[1:]
			}
			e := either(f, n)
			e.State = StateSynReceived
			if _, ok := force(table, e, 64, func(i Index, _ *Common) {
				require.Greater(t, now-table.at(i), Handshake)
			}); ok {
				accepted, began[e] = append(accepted, e), now
			}
			if n%500 == 0 {
				for _, e := range accepted {
					require.True(t, e.request().has(table))
				}
			}
		}
		require.Greater(t, len(began), 7*flows, "in ten seconds")
	}
}

// at is when a flow was seen last, or up to a tick before.
func (t *Table) at(i Index) time.Duration { return time.Duration(t.common(i).LastSeen) * Tick }

// A packet of its own makes a flow young again.
func TestEvictsTheSilent(t *testing.T) {
	for f := range numFamilies {
		table := newTable(t, Config{Flows: 2, Flows6: 2})
		var both [2]Index
		for n := range both {
			e := either(f, n)
			e.State = StateSynReceived
			both[n], _ = e.insert(table)
		}
		forget(table)
		table.pass(both[0], Request, 40)
		for range both {
			table.Evict(f, 2, func(i Index, _ *Common) { require.Equal(t, both[1], i) })
		}
		require.Equal(t, 1, table.Len())
	}
}

// Who has looked at all in vain does not look again before it can help.
func TestEvictRests(t *testing.T) {
	const flows = 100
	table := newTable(t, Config{Flows: flows})
	for n := range flows {
		e := either(IPv4, n)
		e.State = StateSynReceived
		_, ok := e.insert(table)
		require.True(t, ok)
	}
	for range 2 {
		require.False(t, table.Evict(IPv4, flows-1, ignore))
	}
	hand := table.hands[IPv4]
	for table.clock.now+1 < handshakeTicks {
		table.Advance(table.clock.last + Tick/2)
		require.False(t, table.Evict(IPv4, flows, ignore))
		require.Equal(t, hand, table.hands[IPv4])
	}
	forget(table)
	require.True(t, table.Evict(IPv4, 1, ignore), "the next one")
}

// Eviction is for need, and for the family in need.
func TestEvictsOnlyWhenFull(t *testing.T) {
	table := newTable(t, Config{Flows: 2, Flows6: 2})
	for f := range numFamilies {
		e := either(f, 1)
		e.State = StateSynReceived
		_, ok := e.insert(table)
		require.True(t, ok)
		require.False(t, table.Evict(f, 100, ignore), "one entry is free")
	}
	e := either(IPv6, 2)
	e.State = StateSynReceived
	_, ok := e.insert(table)
	require.True(t, ok)
	forget(table)
	require.False(t, table.Evict(IPv4, 100, ignore))
	require.False(t, table.Evict(IPv6, 0, ignore), "no budget")
	require.True(t, table.Evict(IPv6, 1, ignore))
	require.Equal(t, 1, table.Len6())

	none := newTable(t, Config{Flows: 1})
	require.False(t, none.Evict(IPv6, 100, ignore), "a family without entries")
}

// The hand goes on where it stopped: budget entries a call, the last included.
func TestEvictIsBounded(t *testing.T) {
	const flows, budget = 64, 10
	table := newTable(t, Config{Flows: 1, Flows6: flows})
	fill(t, table)
	table.SetState(MakeIndex(IPv6, flows), StateSynReceived)
	forget(table)
	for call := 1; ; call++ {
		if table.Evict(IPv6, budget, ignore) {
			require.Equal(t, (flows+budget-1)/budget, call)
			break
		}
	}
	require.Equal(t, flows-1, table.Len6())
}

// When the index is full before the entries are, eviction makes room there.
func TestEvictForTheIndex(t *testing.T) {
	const flows = 200
	table := newTable(t, Config{Flows: flows})
	table.keys[3] = 0 // all tuples in one chain
	n := 0
	for ok := true; ok; n++ {
		e := either(IPv4, n)
		e.State = StateSynReceived
		_, ok = e.insert(table)
	}
	require.Less(t, n, flows)
	forget(table)
	e := either(IPv4, n)
	_, ok := force(table, e, 1, ignore)
	require.True(t, ok)
	require.NoError(t, table.verify(2*table.Len()))
}
