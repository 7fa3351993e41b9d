package flow

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newTable(t testing.TB, c Config) *Table {
	t.Helper()
	table, err := New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, table.Close()) })
	return table
}

func TestMemoryPerFlow(t *testing.T) {
	const shared = 2 * 6 // two slots of the index
	alone := newTable(t, Config{Flows: 1 << 18})
	require.LessOrEqual(t, alone.BytesPerFlow(IPv4), 152.0)
	require.GreaterOrEqual(t, alone.BytesPerFlow(IPv4), 64.0+40+shared)
	both := newTable(t, Config{Flows: 1 << 18, Flows6: 1 << 18})
	require.InDelta(t, alone.BytesPerFlow(IPv4), both.BytesPerFlow(IPv4), 0.2, "IPv6 costs IPv4 nothing")
	require.LessOrEqual(t, both.BytesPerFlow(IPv6), 216.0)
	require.GreaterOrEqual(t, both.BytesPerFlow(IPv6), 128.0+40+shared)
	sum := (both.BytesPerFlow(IPv4) + both.BytesPerFlow(IPv6)) * (1 << 18)
	require.InDelta(t, len(both.memory.bytes), sum, hugePage, "all of the memory is some flow's")
}

// A table holds what it says, with both tuples of every flow, whatever the seed.
func TestFullCapacity(t *testing.T) {
	for _, c := range []Config{
		{Flows: 1}, {Flows: 2}, {Flows: 7}, {Flows: 100}, {Flows: 1000}, {Flows: 50_000},
		{Flows: 1, Flows6: 1}, {Flows: 3, Flows6: 20}, {Flows: 1000, Flows6: 1000}, {Flows: 10_000, Flows6: 40_000},
	} {
		for seed := range uint64(5) {
			c.Seed = seed + 1
			table := newTable(t, c)
			fill(t, table)
			require.Equal(t, c.Flows+c.Flows6, table.Len())
			require.Equal(t, c.Flows+c.Flows6, table.Cap())
			require.Equal(t, c.Flows6, table.Len6())
			require.Equal(t, c.Flows6, table.Cap6())
			for f, flows := range []int{c.Flows, c.Flows6} {
				more := either(Family(f), flows)
				_, ok := more.insert(table)
				require.False(t, ok)
			}
			require.NoError(t, table.verify(2*table.Cap()))
			require.LessOrEqual(t, table.Stats().LongestChain, 3)
		}
	}
}

// fill makes the table full of two-way flows, 0 to the capacity of each family.
func fill(t testing.TB, table *Table) {
	t.Helper()
	for f := range table.pools {
		for n := range table.pools[f].size {
			e := either(Family(f), n)
			_, ok := e.insert(table)
			require.True(t, ok, "flow %d: %+v", n, table.Stats())
		}
	}
}

// What one family has free, the other cannot take.
func TestFamiliesHaveTheirOwnRoom(t *testing.T) {
	table := newTable(t, Config{Flows: 5})
	_, ok := table.Insert6(twoWay6(1))
	require.False(t, ok, "no room for IPv6 at all")
	require.Zero(t, table.Cap6())
	fill(t, table)
	require.NoError(t, table.verify(10))

	table = newTable(t, Config{Flows: 1, Flows6: 5})
	for n := range 5 {
		_, ok := table.Insert6(twoWay6(n))
		require.True(t, ok)
	}
	_, ok = table.Insert6(twoWay6(5))
	require.False(t, ok)
	_, ok = table.Insert(twoWay(1))
	require.True(t, ok)
}

func TestInsertSetsWhatIsTheTables(t *testing.T) {
	table := newTable(t, Config{Flows: 1})
	table.Advance(time.Hour)
	table.Advance(time.Hour + 10*Tick)
	e := twoWay(1)
	e.LastSeen, e.Flags = 12345, 0xff
	i, ok := table.Insert(e)
	require.True(t, ok)
	require.Equal(t, uint32(10), table.Now())
	require.Equal(t, uint32(10), table.At(i).LastSeen)
	require.Equal(t, uint32(10), table.Created(i))
	require.Zero(t, table.Counters(i))
	table.pass(i, Reply, 99)
	table.Settle(i)
	table.pass(i, Request, 99)
	require.Equal(t, Counters{[2]uint64{1, 1}, [2]uint64{99, 99}}, table.Counters(i))
	table.Remove(i)
	again, ok := table.Insert(twoWay(2))
	require.True(t, ok)
	require.Equal(t, i, again)
	require.Zero(t, table.Counters(again))
}

func TestScanSeesWhatStays(t *testing.T) {
	const flows, flows6 = 300, 200
	table := newTable(t, Config{Flows: flows, Flows6: flows6})
	stays := map[Index]int{}
	for n := range flows6 - 50 {
		for f := range numFamilies {
			e := either(f, n)
			i, ok := e.insert(table)
			require.True(t, ok)
			stays[i] = 0
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	var others []Index
	slices := 0
	for from := Index(0); ; slices++ {
		visited := 0
		next := table.Scan(from, 7, func(i Index) {
			visited++
			if _, ok := stays[i]; ok {
				stays[i]++
			}
		})
		require.LessOrEqual(t, visited, 7)
		if next == 0 {
			break
		}
		require.Equal(t, visited, table.inUse(from, next), "no flow between two slices is passed over")
		require.LessOrEqual(t, table.distance(from, next), 7*freeCost, "free entries cost, too")
		from = next
		if len(others) > 0 && random.IntN(2) == 0 {
			table.Remove(others[len(others)-1])
			others = others[:len(others)-1]
			continue
		}
		e := either(Family(slices&1), 1000+slices)
		if i, ok := e.insert(table); ok {
			others = append(others, i)
		}
	}
	require.Greater(t, slices, 2*(flows6-50)/7-1, "more than one batch for what stays")
	for i, times := range stays {
		require.Equal(t, 1, times, "flow %d", i)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []Config{{}, {Flows: -1}, {Flows: MaxFlows + 1}, {Flows6: 1}, {Flows: 1, Flows6: -1},
		{Flows: 1, Flows6: MaxFlows + 1}} {
		_, err := New(c)
		require.ErrorContains(t, err, "flows: not between")
	}
	var timeouts Timeouts
	timeouts[StateUDP] = -1
	_, err := New(Config{Flows: 1, Timeouts: timeouts})
	require.ErrorContains(t, err, "UDP")
	timeouts[StateUDP] = 10 * maxTimeout
	_, err = New(Config{Flows: 1, Timeouts: timeouts})
	require.ErrorContains(t, err, "UDP")
}

func TestNothingAllocates(t *testing.T) {
	table := newTable(t, Config{Flows: 1000, Flows6: 1000})
	clock := time.Duration(0)
	table.Advance(clock)
	ended := 0
	expired := func(Index, *Common) { ended++ }
	visit := func(Index) {}
	n := 0
	round := func() {
		n++
		a, okA := table.Insert(twoWay(n))
		b, okB := table.Insert(twoWay(-n))
		tuple := table.At(a).Tuple(Reply)
		if !okA || !okB || table.Find(table.Hash(tuple), tuple) != MakeRef(a, Reply) {
			t.Error("flow lost")
		}
		six, ok6 := table.Insert6(twoWay6(n))
		tuple6 := table.At6(six).Tuple(Reply)
		if !ok6 || table.Find6(table.Hash6(&tuple6), &tuple6) != MakeRef(six, Reply) {
			t.Error("IPv6 flow lost")
		}
		table.SetState(six, StateClose)
		table.pass(a, Request, 1)
		table.SetState(a, StateClose)
		table.Remove(b)
		clock += time.Second
		table.Advance(clock)
		table.Scan(0, 100, visit)
		table.Expire(64, expired)
	}
	require.Zero(t, testing.AllocsPerRun(500, round))
	require.Greater(t, ended, 2*400)
}

func TestEvictionAllocatesNothing(t *testing.T) {
	table := newTable(t, Config{Flows: 100, Flows6: 100})
	fill(t, table)
	for i := Index(1); i != 0; i = table.after(i) {
		table.SetState(i, StateSynReceived)
	}
	ended, n, now := 0, 1000, time.Duration(0)
	evicted := func(Index, *Common) { ended++ }
	require.Zero(t, testing.AllocsPerRun(500, func() {
		n++
		now += Handshake / 50 // all hundred are passed in two
		table.Advance(now)
		for f := range numFamilies {
			e := either(f, n)
			e.State = StateSynReceived
			force(table, e, 8, evicted)
		}
	}))
	require.Greater(t, ended, 2*400)
}

// A free entry says nothing about who used it.
func TestRemoveClears(t *testing.T) {
	for f := range numFamilies {
		table := newTable(t, Config{Flows: 1, Flows6: 1})
		e := either(f, 1)
		e.Mode, e.Backend, e.NetEpoch, e.Sides[Reply].Hop = 1, 3, 6, 5
		i, ok := e.insert(table)
		require.True(t, ok)
		table.pass(i, Request, 1)
		table.Remove(i)
		require.Equal(t, entry{family: f}, table.entryAt(i))
	}
}

func TestClosedTablePanics(t *testing.T) {
	table, err := New(Config{Flows: 10})
	require.NoError(t, err)
	require.NoError(t, table.Close())
	require.NoError(t, table.Close(), "again")
	require.Panics(t, func() { table.Insert(twoWay(1)) })
	require.Panics(t, func() { table.Insert6(twoWay6(1)) })
	require.Panics(t, func() { table.At(1) })
	require.Panics(t, func() { table.At6(MakeIndex(IPv6, 1)) })
}

// inUse counts the flows that a scan from one index to the next passes.
func (t *Table) inUse(from, to Index) (n int) {
	for i := max(from, 1); i != to; i = t.after(i) {
		if t.common(i).Flags&flagUsed != 0 {
			n++
		}
	}
	return n
}

// distance is how many entries lie between two indexes.
func (t *Table) distance(from, to Index) (n int) {
	for i := max(from, 1); i != to; i = t.after(i) {
		n++
	}
	return n
}
