package flow

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

func newTable(t testing.TB, c Config) *Table {
	t.Helper()
	table, err := New(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, table.Close()) })
	return table
}

// twoWay is the nth of many flows with both tuples.
func twoWay(n int) Entry4 {
	return Entry4{
		ReqAddrs: uint64(n) | 0x0100000a<<32, ReqPorts: 0x5000_1234,
		RepAddrs: 0x0200000a | uint64(n)<<32, RepPorts: 0x4321_5000,
		Common: Common{Proto: packet.ProtoTCP, State: StateEstablished},
	}
}

func TestMemoryPerFlow(t *testing.T) {
	table := newTable(t, Config{Flows: 1 << 20})
	require.LessOrEqual(t, table.BytesPerFlow(IPv4), 152.0)
	require.GreaterOrEqual(t, table.BytesPerFlow(IPv4), 64.0+40+2*6, "entry, cold part and two slots")
}

// A table holds what it says, with both tuples of every flow, whatever the seed.
func TestFullCapacity(t *testing.T) {
	for _, flows := range []int{1, 2, 7, 100, 1000, 50_000} {
		for seed := range uint64(5) {
			table := newTable(t, Config{Flows: flows, Seed: seed + 1})
			for n := range flows {
				_, ok := table.Insert(twoWay(n))
				require.True(t, ok, "flow %d of %d: %+v", n, flows, table.Stats())
			}
			require.Equal(t, flows, table.Len())
			require.Equal(t, flows, table.Cap())
			_, ok := table.Insert(twoWay(flows))
			require.False(t, ok)
			require.NoError(t, table.verify(2*flows))
			require.LessOrEqual(t, table.Stats().LongestChain, 3)
		}
	}
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
	require.Equal(t, Cold{Created: 10}, *table.Cold(i))
	table.Cold(i).InBytes = 99
	table.Remove(i)
	again, ok := table.Insert(twoWay(2))
	require.True(t, ok)
	require.Equal(t, i, again)
	require.Zero(t, table.Cold(again).InBytes)
}

func TestRepliesFindTheirFlow(t *testing.T) {
	table := newTable(t, Config{Flows: 3})
	nat := twoWay(1)
	i, ok := table.Insert(nat)
	require.True(t, ok)
	require.Equal(t, MakeRef(i, Request), table.Find(table.Hash(nat.RequestTuple()), nat.RequestTuple()))
	require.Equal(t, MakeRef(i, Reply), table.Find(table.Hash(nat.ReplyTuple()), nat.ReplyTuple()))
	require.False(t, table.Has(nat.RequestTuple().Reverse()))

	clash := twoWay(2)
	clash.RepAddrs, clash.RepPorts = nat.RepAddrs, nat.RepPorts
	_, ok = table.Insert(clash)
	require.False(t, ok, "the reply tuple is taken")
	require.False(t, table.Has(clash.RequestTuple()))
	clash.RepPorts++
	_, ok = table.Insert(clash)
	require.True(t, ok)

	dr := twoWay(3)
	dr.RepAddrs, dr.RepPorts = 0, 0
	_, ok = table.Insert(dr)
	require.True(t, ok)
	require.False(t, table.Has(dr.ReplyTuple()), "dr has no reply tuple")
	require.NoError(t, table.verify(5))
}

func TestStagedLookup(t *testing.T) {
	const flows = 1000
	table := newTable(t, Config{Flows: flows})
	for n := range flows {
		_, ok := table.Insert(twoWay(n))
		require.True(t, ok)
	}
	var hashes [packet.BurstSize]uint64
	var refs [packet.BurstSize]Ref
	for first := 0; first+packet.BurstSize <= 2*flows; first += packet.BurstSize {
		for i := range hashes {
			e := twoWay(first + i) // the second half is not there
			hashes[i] = table.Hash(e.RequestTuple())
		}
		table.PrefetchBuckets(&hashes, len(hashes))
		for i, hash := range hashes {
			refs[i] = table.Candidate(hash)
		}
		table.PrefetchEntries(&refs, len(refs))
		for i, hash := range hashes {
			e := twoWay(first + i)
			ref := refs[i]
			if !table.Match(ref, e.RequestTuple()) {
				ref = table.Find(hash, e.RequestTuple())
			}
			require.Equal(t, first+i < flows, ref != 0, "flow %d", first+i)
			if ref != 0 {
				require.Equal(t, e.ReqAddrs, table.At(ref.Index()).ReqAddrs)
			}
		}
	}
	table.PrefetchBuckets(&hashes, 0)
	table.PrefetchEntries(&refs, 1<<20) // more than a burst: cut off
}

// When the index has room for one of two tuples, neither stays.
func TestIndexExhausted(t *testing.T) {
	const flows = 60
	table := newTable(t, Config{Flows: flows})
	table.keys[3] = 0 // all tuples in one chain
	room := (1 + table.Stats().OverflowCap) * bucketSlots
	require.Less(t, room, 2*flows)
	n := 0
	for ; n < (room-1)/2; n++ {
		_, ok := table.Insert(twoWay(n))
		require.True(t, ok)
	}
	oneWay := twoWay(n)
	oneWay.RepAddrs, oneWay.RepPorts = 0, 0
	_, ok := table.Insert(oneWay)
	require.True(t, ok)
	_, ok = table.Insert(twoWay(n + 1))
	require.False(t, ok)
	require.NoError(t, table.verify(2*n+1))
	oneWay.ReqPorts++
	_, ok = table.Insert(oneWay)
	require.True(t, ok, "the last slot is still free")
}

func TestMatchOfNoRef(t *testing.T) {
	table := newTable(t, Config{Flows: 1})
	require.False(t, table.Match(0, Tuple4{}))
	require.False(t, table.Has(Tuple4{}))
}

func TestScanSeesWhatStays(t *testing.T) {
	const flows = 500
	table := newTable(t, Config{Flows: flows})
	stays := map[Index]int{}
	for n := range flows / 2 {
		i, ok := table.Insert(twoWay(n))
		require.True(t, ok)
		stays[i] = 0
	}
	random := rand.New(rand.NewPCG(1, 2))
	var others []Index
	slices := 0
	for from := Index(0); ; slices++ {
		visited := 0
		next := table.Scan(from, 7, func(i Index, c *Cold) {
			visited++
			require.Same(t, table.Cold(i), c)
			if _, ok := stays[i]; ok {
				stays[i]++
			}
		})
		require.LessOrEqual(t, visited, 7)
		if next == 0 {
			break
		}
		require.Equal(t, max(from, 1)+7, next)
		from = next
		if len(others) > 0 && random.IntN(2) == 0 {
			table.Remove(others[len(others)-1])
			others = others[:len(others)-1]
		} else if i, ok := table.Insert(twoWay(1000 + slices)); ok {
			others = append(others, i)
		}
	}
	require.Equal(t, (flows+6)/7-1, slices)
	for i, times := range stays {
		require.Equal(t, 1, times, "flow %d", i)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []Config{{}, {Flows: -1}, {Flows: MaxFlows + 1}} {
		_, err := New(c)
		require.ErrorContains(t, err, "flows: not between 1 and")
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
	table := newTable(t, Config{Flows: 1000})
	clock := time.Duration(0)
	table.Advance(clock)
	ended := 0
	expired := func(Index, *Common) { ended++ }
	visit := func(Index, *Cold) {}
	n := 0
	round := func() {
		n++
		a, okA := table.Insert(twoWay(n))
		b, okB := table.Insert(twoWay(-n))
		tuple := table.At(a).ReplyTuple()
		if !okA || !okB || table.Find(table.Hash(tuple), tuple) != MakeRef(a, Reply) {
			t.Error("flow lost")
		}
		table.Touch(table.Common(a))
		table.SetState(a, StateClose)
		table.Remove(b)
		clock += time.Second
		table.Advance(clock)
		table.Scan(0, 100, visit)
		table.Expire(64, expired)
	}
	require.Zero(t, testing.AllocsPerRun(500, round))
	require.Greater(t, ended, 400)
}

func TestClosedTablePanics(t *testing.T) {
	table, err := New(Config{Flows: 10})
	require.NoError(t, err)
	require.NoError(t, table.Close())
	require.NoError(t, table.Close(), "again")
	require.Panics(t, func() { table.Insert(twoWay(1)) })
	require.Panics(t, func() { table.At(1) })
}
