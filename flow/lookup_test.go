package flow

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

// A burst of both families, of both directions, of what is there and what is not.
func TestStagedLookup(t *testing.T) {
	const flows = 1000
	table := newTable(t, Config{Flows: flows, Flows6: flows})
	fill(t, table)
	var hashes [packet.BurstSize]uint64
	var found Found
	for first := 0; first+packet.BurstSize <= 2*flows; first += packet.BurstSize {
		for i := range hashes {
			hashes[i] = mixed(first + i).hash(table) // the second half is not there
		}
		table.PrefetchBuckets(&hashes, len(hashes))
		table.Candidates(&hashes, &found, len(hashes))
		for i, ref := range found.Refs {
			if require.Equal(t, table.index.candidate(hashes[i]) != 0, ref != 0); ref != 0 {
				require.Contains(t, table.index.all(hashes[i]), ref) // which, if several tags fit, differs between the two
			}
			if !ref.IPv6() {
				require.Same(t, table.At(ref.Index()), found.Entry4(i))
			}
			k := mixed(first + i)
			if ref == 0 && !table.Chained(hashes[i]) {
				require.Zero(t, k.find(table))
			}
			if !k.matches(table, ref) {
				ref = k.find(table)
			}
			require.Equal(t, first+i < flows, ref != 0, "flow %d", first+i)
			if ref == 0 {
				continue
			}
			e := table.entryAt(ref.Index())
			require.Equal(t, []tuple{e.request(), e.reply()}[ref.Dir()], k)
		}
	}
	table.PrefetchBuckets(&hashes, 0)
	table.Candidates(&hashes, &found, 1<<20) // more than a burst: cut off
}

// mixed is the tuple of the nth packet of a burst with flows of both families.
func mixed(n int) tuple {
	e := either(Family(n%3&1), n)
	if n%5 < 2 {
		return e.request()
	}
	return e.reply()
}

// What is written to every entry, hot and cold, is still there afterwards.
func TestFamiliesDoNotOverlap(t *testing.T) {
	const flows = 50
	table := newTable(t, Config{Flows: flows, Flows6: flows})
	fill(t, table)
	for i := Index(1); i != 0; i = table.after(i) {
		table.cold(i).Counters = numbered(i)
		table.Common(i).Backend = 7
	}
	for f := range numFamilies {
		for n := range flows {
			e := either(f, n)
			i := e.request().find(table).Index()
			require.Equal(t, MakeIndex(f, uint32(n+1)), i)
			got := table.entryAt(i)
			require.Equal(t, e.request(), got.request())
			require.Equal(t, e.reply(), got.reply())
			require.Equal(t, numbered(i), table.Counters(i))
		}
	}
}

func numbered(i Index) Counters {
	return Counters{Packets: [2]uint64{uint64(i), 1}, Bytes: [2]uint64{2, uint64(i)}}
}

// The same words in both families, all in one bucket: nobody takes one for the other.
func TestMatchOfTheOtherFamily(t *testing.T) {
	table := newTable(t, Config{Flows: 4, Flows6: 4})
	table.keys[3] = 0
	words := Entry6{Addrs: [2][4]uint64{{1}, {3}}, Common: Common{Sides: [2]Side{{Ports: 2}, {Ports: 4}}, Proto: 6, State: StateEstablished}}
	four, six := entry{IPv4, words}, entry{IPv6, words}
	for _, order := range [][2]entry{{four, six}, {six, four}} {
		i, ok := order[0].insert(table)
		require.True(t, ok)
		require.False(t, order[1].request().has(table))
		require.False(t, order[1].reply().has(table))
		j, ok := order[1].insert(table)
		require.True(t, ok, "not a duplicate")
		for k, e := range order {
			index := [2]Index{i, j}[k]
			for _, dir := range []Dir{Request, Reply} {
				own, other := e.request(), order[1-k].request()
				if dir == Reply {
					own, other = e.reply(), order[1-k].reply()
				}
				require.Equal(t, MakeRef(index, dir), own.find(table))
				require.True(t, own.matches(table, MakeRef(index, dir)))
				require.False(t, other.matches(table, MakeRef(index, dir)))
			}
		}
		table.Remove(i)
		require.True(t, order[1].reply().has(table))
		table.Remove(j)
		require.NoError(t, table.verify(0))
	}
	require.False(t, table.Match(MakeRef(MakeIndex(IPv6, 4), Reply), Tuple4{}), "even where IPv4 has no such entry")
}

func TestMatchOfNoRef(t *testing.T) {
	table := newTable(t, Config{Flows: 1, Flows6: 1})
	require.False(t, table.Match(0, Tuple4{}))
	require.False(t, table.Has(Tuple4{}))
	require.False(t, table.Match6(0, &Tuple6{}))
	require.False(t, table.Has6(&Tuple6{}))
}

// All of an IPv6 tuple counts, in both directions, without the help of a hash.
func TestMatch6ComparesAll(t *testing.T) {
	table := newTable(t, Config{Flows: 1, Flows6: 1})
	e := twoWay6(1)
	i, ok := table.Insert6(e)
	require.True(t, ok)
	for dir, k := range []Tuple6{e.Tuple(Request), e.Tuple(Reply)} {
		ref := MakeRef(i, Dir(dir))
		require.True(t, table.Match6(ref, &k))
		require.False(t, table.Match6(ref^1, &k), "the other direction's")
		for word := range k.Addrs {
			for _, bit := range []int{0, 31, 32, 63} {
				other := k
				other.Addrs[word] ^= 1 << bit
				require.False(t, table.Match6(ref, &other), "word %d bit %d", word, bit)
			}
		}
		for bit := range 32 {
			other := k
			other.Ports ^= 1 << bit
			require.False(t, table.Match6(ref, &other))
		}
		other := k
		other.Proto = packet.ProtoUDP
		require.False(t, table.Match6(ref, &other))
	}
}

// Any field of the reply tuple that is not 0 makes replies findable.
func TestHasReply(t *testing.T) {
	for f := range numFamilies {
		none := either(f, 1)
		none.SetTuple(Reply, &Tuple6{})
		cases := []entry{none, none, none, none, none, none}
		words := 1 + 3*int(f)
		for word := range words {
			cases[word].Addrs[Reply][word] = 1 << 60
		}
		cases[words].Sides[Reply].Ports = 1 << 31
		for i, e := range cases {
			table := newTable(t, Config{Flows: 1, Flows6: 1})
			_, ok := e.insert(table)
			require.True(t, ok)
			require.Equal(t, i <= words, e.reply().has(table), "case %d", i)
			table.Remove(e.request().find(table).Index())
			require.NoError(t, table.verify(0))
		}
	}
}

func TestReverse(t *testing.T) {
	require.Equal(t, Tuple4{0x0000_0002_0000_0001, 0x0004_0003, 6}, Tuple4{0x0000_0001_0000_0002, 0x0003_0004, 6}.Reverse())
	k := Tuple6{[4]uint64{1, 2, 3, 4}, 0x0005_0006, 17}
	require.Equal(t, Tuple6{[4]uint64{3, 4, 1, 2}, 0x0006_0005, 17}, k.Reverse())
}

// When the index has room for one of two tuples, neither stays.
func TestIndexExhausted(t *testing.T) {
	for f := range numFamilies {
		const flows = 60
		table := newTable(t, Config{Flows: flows, Flows6: flows})
		table.keys[3] = 0 // all tuples in one chain
		room := (1 + table.Stats().OverflowCap) * bucketSlots
		require.Less(t, room, 4*flows)
		n := 0
		for ; n < (room-1)/2; n++ {
			e := either(f^Family(n&1), n) // both families fill it
			_, ok := e.insert(table)
			require.True(t, ok)
		}
		oneWay := either(f, n)
		oneWay.SetTuple(Reply, &Tuple6{})
		_, ok := oneWay.insert(table)
		require.True(t, ok)
		more := either(f, n+1)
		_, ok = more.insert(table)
		require.False(t, ok)
		require.NoError(t, table.verify(2*n+1))
		oneWay.Sides[Request].Ports++
		_, ok = oneWay.insert(table)
		require.True(t, ok, "the last slot is still free")
	}
}

func TestRepliesFindTheirFlow(t *testing.T) {
	for f := range numFamilies {
		table := newTable(t, Config{Flows: 3, Flows6: 3})
		nat := either(f, 1)
		i, ok := nat.insert(table)
		require.True(t, ok)
		require.Equal(t, MakeRef(i, Request), nat.request().find(table))
		require.Equal(t, MakeRef(i, Reply), nat.reply().find(table))
		request := nat.request()
		require.False(t, tuple{f, request.Reverse()}.has(table))

		clash := either(f, 2)
		reply := nat.reply()
		clash.SetTuple(Reply, &reply.Tuple6)
		_, ok = clash.insert(table)
		require.False(t, ok, "the reply tuple is taken")
		require.False(t, clash.request().has(table))
		clash.Sides[Reply].Ports++
		_, ok = clash.insert(table)
		require.True(t, ok)

		dr := either(f, 3)
		dr.SetTuple(Reply, &Tuple6{})
		_, ok = dr.insert(table)
		require.True(t, ok)
		require.False(t, dr.reply().has(table), "dr has no reply tuple")
		require.NoError(t, table.verify(5))
	}
}
