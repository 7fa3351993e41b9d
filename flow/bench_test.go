package flow

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/packet"
)

// BenchmarkFind looks up random flows of a full table, in bursts of 64: in
// stages, as the worker does, and one at a time. An op is one packet. ipv4 and
// ipv6 go through a worker's code for one family; mixed is half and half.
func BenchmarkFind(b *testing.B) {
	for _, flows := range []int{1_000, 100_000, 1_000_000} {
		table := newTable(b, Config{Flows: flows, Flows6: flows, Seed: 1})
		fill(b, table)
		for _, m := range []struct {
			name     string
			families [2]Family
		}{{"ipv4", [2]Family{IPv4, IPv4}}, {"ipv6", [2]Family{IPv6, IPv6}}, {"mixed", [2]Family{IPv4, IPv6}}} {
			packets := randomPackets(flows, m.families)
			b.Run(fmt.Sprintf("flows=%d/%s/staged", flows, m.name), func(b *testing.B) { bench(b, packets, table.findBurst) })
			b.Run(fmt.Sprintf("flows=%d/%s/single", flows, m.name), func(b *testing.B) { bench(b, packets, table.findEach) })
		}
	}
}

// packets are the tuples of a burst, as a parser leaves them.
type packets struct {
	six    [packet.BurstSize]bool
	tuple4 [packet.BurstSize]Tuple4
	tuple6 [packet.BurstSize]Tuple6
}

// randomPackets are tuples of both directions, far more than any cache holds flows.
func randomPackets(flows int, families [2]Family) []packets {
	random := rand.New(rand.NewPCG(1, 2))
	bursts := make([]packets, 1<<13)
	for i := range bursts {
		for j := range packet.BurstSize {
			e := either(families[random.IntN(2)], random.IntN(flows))
			k := e.request()
			if random.IntN(2) == 0 {
				k = e.reply()
			}
			bursts[i].six[j], bursts[i].tuple4[j], bursts[i].tuple6[j] = k.family == IPv6, k.v4(), k.Tuple6
		}
	}
	return bursts
}

func bench(b *testing.B, bursts []packets, find func(*packets) uint64) {
	sum, n := uint64(0), 0
	for b.Loop() {
		if n%packet.BurstSize == 0 {
			sum += find(&bursts[n/packet.BurstSize%len(bursts)])
		}
		n++
	}
	if sum == 0 {
		b.Fatal("nothing found")
	}
}

func (t *Table) findBurst(p *packets) (sum uint64) {
	var hashes [packet.BurstSize]uint64
	var found Found
	for i := range hashes {
		if p.six[i] {
			hashes[i] = t.Hash6(&p.tuple6[i])
		} else {
			hashes[i] = t.Hash(p.tuple4[i])
		}
	}
	t.PrefetchBuckets(&hashes, len(hashes))
	t.Candidates(&hashes, &found, len(hashes))
	for i, ref := range found.Refs {
		if p.six[i] {
			if !t.Match6(ref, &p.tuple6[i]) {
				ref = t.Find6(hashes[i], &p.tuple6[i])
			}
		} else if !t.Match(ref, p.tuple4[i]) {
			ref = t.Find(hashes[i], p.tuple4[i])
		}
		sum += t.count(ref)
	}
	return sum
}

func (t *Table) findEach(p *packets) (sum uint64) {
	for i, six := range p.six {
		if six {
			sum += t.count(t.Find6(t.Hash6(&p.tuple6[i]), &p.tuple6[i]))
		} else {
			sum += t.count(t.Find(t.Hash(p.tuple4[i]), p.tuple4[i]))
		}
	}
	return sum
}

// count is what a worker does to every flow it has found.
func (t *Table) count(ref Ref) uint64 {
	t.pass(ref.Index(), Request, 64)
	return uint64(ref)
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

// BenchmarkChurn is the life of a flow among two million: 64 a round are added, as
// many end by their time-out, in the order in which they came.
func BenchmarkChurn(b *testing.B) {
	const flows, round = 2 << 20, packet.BurstSize
	const life = 64 // ticks; time-outs are one longer
	table := newTable(b, Config{Flows: flows + flows/16, Seed: 1, Timeouts: Timeouts{StateUDP: life * Tick}})
	n, now := 0, time.Duration(0)
	step := func() {
		for range round {
			e := twoWay(n)
			e.State = StateUDP
			if _, ok := table.Insert(e); !ok {
				b.Fatal("full")
			}
			n++
		}
		now += life * Tick / (flows / round)
		table.Advance(now)
		table.Expire(4*round, ignore)
	}
	for table.Len() < flows {
		step()
	}
	for range flows / round {
		step()
	}
	b.ResetTimer()
	for range b.N {
		step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*round), "ns/flow")
	if held := table.Len(); held < flows*9/10 || held > flows+flows/16 {
		b.Fatal(held, "flows: not steady")
	}
}

// BenchmarkFlood is a new flow in a full table: one embryonic flow in so many
// gives way, or none does and the new one is refused.
func BenchmarkFlood(b *testing.B) {
	const flows, budget = 100_000, 64
	for _, share := range []int{1, 20, 0} {
		b.Run(fmt.Sprintf("embryonic=1in%d", share), func(b *testing.B) {
			table := newTable(b, Config{Flows: flows, Seed: 1})
			fill(b, table)
			for n := 1; share > 0 && n <= flows; n += share {
				table.SetState(Index(n), StateSynReceived)
			}
			n, refused := flows, 0
			for b.Loop() {
				e := either(IPv4, n)
				e.State = StateSynReceived
				if _, ok := force(table, e, budget, ignore); !ok {
					refused++
				}
				n++
			}
			b.ReportMetric(float64(refused)/float64(b.N), "refused/op")
		})
	}
}
