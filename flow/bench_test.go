package flow

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/sluice-lb/sluice/packet"
)

// BenchmarkFind looks up random flows of a full table, in bursts of 64: in
// stages, as the worker does, and one at a time. An op is one packet.
func BenchmarkFind(b *testing.B) {
	for _, flows := range []int{1_000, 100_000, 1_000_000} {
		table := newTable(b, Config{Flows: flows, Seed: 1})
		for n := range flows {
			if _, ok := table.Insert(twoWay(n)); !ok {
				b.Fatal("full")
			}
		}
		packets := randomPackets(flows)
		b.Run(fmt.Sprintf("flows=%d/staged", flows), func(b *testing.B) { bench(b, packets, table.findBurst) })
		b.Run(fmt.Sprintf("flows=%d/single", flows), func(b *testing.B) { bench(b, packets, table.findEach) })
	}
}

type burst [packet.BurstSize]Tuple4

// randomPackets are tuples of both directions, far more than any cache holds flows.
func randomPackets(flows int) []burst {
	random := rand.New(rand.NewPCG(1, 2))
	bursts := make([]burst, 1<<14)
	for i := range bursts {
		for j := range bursts[i] {
			e := twoWay(random.IntN(flows))
			bursts[i][j] = e.RequestTuple()
			if random.IntN(2) == 0 {
				bursts[i][j] = e.ReplyTuple()
			}
		}
	}
	return bursts
}

func bench(b *testing.B, packets []burst, find func(*burst) uint64) {
	sum, n := uint64(0), 0
	for b.Loop() {
		if n%packet.BurstSize == 0 {
			sum += find(&packets[n/packet.BurstSize%len(packets)])
		}
		n++
	}
	if sum == 0 {
		b.Fatal("nothing found")
	}
}

func (t *Table) findBurst(packets *burst) (sum uint64) {
	var hashes [packet.BurstSize]uint64
	var refs [packet.BurstSize]Ref
	for i := range packets {
		hashes[i] = t.Hash(packets[i])
	}
	t.PrefetchBuckets(&hashes, len(hashes))
	for i, hash := range hashes {
		refs[i] = t.Candidate(hash)
	}
	t.PrefetchEntries(&refs, len(refs))
	for i, ref := range refs {
		if !t.Match(ref, packets[i]) {
			ref = t.Find(hashes[i], packets[i])
		}
		t.count(ref)
		sum += uint64(ref)
	}
	return sum
}

func (t *Table) findEach(packets *burst) (sum uint64) {
	for i := range packets {
		ref := t.Find(t.Hash(packets[i]), packets[i])
		t.count(ref)
		sum += uint64(ref)
	}
	return sum
}

// count is what a worker does to every flow it has found.
func (t *Table) count(ref Ref) {
	t.Touch(t.Common(ref.Index()))
	t.Cold(ref.Index()).InPackets++
}

// BenchmarkInsertRemove is the life of a flow in a table of 100k others.
func BenchmarkInsertRemove(b *testing.B) {
	const flows = 100_000
	table := newTable(b, Config{Flows: flows + 1, Seed: 1})
	for n := range flows {
		table.Insert(twoWay(n))
	}
	n := flows
	for b.Loop() {
		i, ok := table.Insert(twoWay(n))
		if !ok {
			b.Fatal("full")
		}
		table.Remove(i)
		n++
	}
}
