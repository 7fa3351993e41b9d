package flow

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func smallIndex(homes, overflow int) *index {
	x := newIndex(make([]bucket, homes+overflow), homes)
	return &x
}

// all is what a search for hash comes across.
func (x *index) all(hash uint64) (refs []Ref) {
	for b := &x.buckets[x.home(hash)]; ; b = &x.buckets[b.next] {
		for found := b.match(tagOf(hash)); found != 0; found &= found - 1 {
			refs = append(refs, b.refs[found.first()])
		}
		if b.next == 0 {
			return refs
		}
	}
}

// verify checks the index's own rules and returns the number of refs in it.
func (x *index) verify() (refs int, err error) {
	linked := 0
	for home := range uint32(x.homes) {
		for at, length := home, 1; ; at, length = x.buckets[at].next, length+1 {
			if length > x.longest {
				return 0, fmt.Errorf("chain of %d has %d buckets, longest is said to be %d", home, length, x.longest)
			}
			b := &x.buckets[at]
			used := 0
			for slot := range bucketSlots {
				if (b.tag(slot) == 0) != (b.refs[slot] == 0) {
					return 0, fmt.Errorf("bucket %d slot %d: tag %#x, ref %d", at, slot, b.tag(slot), b.refs[slot])
				}
				if b.refs[slot] != 0 {
					used++
				}
			}
			refs += used
			if at != home {
				linked++
				if used == 0 {
					return 0, fmt.Errorf("bucket %d: empty, but in the chain of %d", at, home)
				}
			}
			if b.next == 0 {
				break
			}
			if used != bucketSlots {
				return 0, fmt.Errorf("bucket %d: %d slots used, but not the last of its chain", at, used)
			}
		}
	}
	free := 0
	for at := x.free; at != 0; at = x.buckets[at].next {
		free++
	}
	if linked != x.overflow || linked+free != len(x.buckets)-int(x.homes) {
		return 0, fmt.Errorf("overflow buckets: %d linked, %d counted, %d free of %d", linked, x.overflow, free, len(x.buckets)-int(x.homes))
	}
	return refs, nil
}

func TestBucketMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Neighbours of the tag, because borrows and carries would confuse those.
		tag := uint64(rapid.Uint16().Draw(t, "tag"))
		near := rapid.SampledFrom([]uint64{tag, tag - 1, tag + 1, tag ^ 0x8000, 0, 0xffff, 0x8000, 0x7fff})
		var b bucket
		var want []int
		for slot := range bucketSlots {
			lane := near.Draw(t, "lane") & 0xffff
			b.set(slot, lane, Ref(slot+1))
			if lane == tag {
				want = append(want, slot)
			}
		}
		var got []int
		for found := b.match(tag); found != 0; found &= found - 1 {
			got = append(got, found.first())
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("tag %#x in %x: slots %v, want %v", tag, b.tags, got, want)
		}
	})
}

// The index against a map of lists, with hashes that collide in tag, in bucket,
// and in both.
func TestIndexIsAMultimap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		homes := rapid.IntRange(1, 4).Draw(t, "homes")
		overflow := rapid.IntRange(1, 5).Draw(t, "overflow")
		x := smallIndex(homes, overflow)
		high := rapid.Uint64Range(0, 3) // quarters of the range: homes
		low := rapid.SampledFrom([]uint64{0, 1, 2, 0x8000, 0xffff})
		type item struct {
			hash uint64
			ref  Ref
		}
		var model []item
		next := Ref(1)
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				hash := high.Draw(t, "high")<<62 | low.Draw(t, "low")
				if x.put(hash, next) {
					model = append(model, item{hash, next})
					next++
				} else if x.overflow != overflow {
					t.Fatalf("put failed with %d of %d overflow buckets in use", x.overflow, overflow)
				}
			},
			"remove": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip("empty")
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				x.remove(model[i].hash, model[i].ref)
				model = slices.Delete(model, i, i+1)
			},
			"": func(t *rapid.T) {
				n, err := x.verify()
				if err != nil || n != len(model) {
					t.Fatalf("%d refs, want %d: %v", n, len(model), err)
				}
				for _, m := range model {
					if !slices.Contains(x.all(m.hash), m.ref) {
						t.Fatalf("ref %d is not found by its hash %#x", m.ref, m.hash)
					}
					if tagOf(m.hash) == 0 {
						t.Fatalf("hash %#x has the tag of empty slots", m.hash)
					}
				}
			},
		})
	})
}

func TestCandidateIsInTheHomeBucket(t *testing.T) {
	x := smallIndex(2, 1)
	const lower, upper = 7, 1<<63 | 7
	require.Zero(t, x.candidate(lower))
	require.True(t, x.put(lower, 10))
	require.True(t, x.put(lower+2, 11))
	require.Equal(t, Ref(10), x.candidate(lower))
	require.Equal(t, Ref(10), x.candidate(lower-1), "tags are odd")
	require.Equal(t, Ref(11), x.candidate(lower+2))
	require.Zero(t, x.candidate(upper), "same tag, other bucket")
	for i := range Ref(7) {
		require.True(t, x.put(lower+4, 20+i))
	}
	require.Equal(t, 1, x.overflow)
	require.Equal(t, Ref(20), x.candidate(lower+4))
	require.Len(t, x.all(lower+4), 7, "one of them in the overflow bucket")
	require.Zero(t, x.candidate(lower+6), "a full bucket, but no such tag")
}

func TestIndexRemoveUnknownPanics(t *testing.T) {
	x := smallIndex(1, 1)
	require.True(t, x.put(5, 1))
	require.Panics(t, func() { x.remove(5, 2) })
}

func TestHashSpreadsAndDependsOnSeed(t *testing.T) {
	k, other := newKeys(1), newKeys(2)
	require.Equal(t, k, newKeys(1))
	require.NotEqual(t, newKeys(0), newKeys(0), "random")
	seen := map[uint64]bool{}
	var ones [64]int
	const n = 1 << 14
	for i := range uint64(n) {
		tuple := Tuple4{Addrs: i >> 7 << 24, Ports: uint32(i & 127 << 8), Proto: 6} // neighbours, big-endian
		h := k.hash4(tuple)
		require.NotEqual(t, h, other.hash4(tuple))
		seen[h] = true
		for bit := range ones {
			ones[bit] += int(h >> bit & 1)
		}
	}
	require.Equal(t, n, len(seen), "no two hashes are the same")
	for bit, count := range ones {
		require.InDelta(t, n/2, count, n/20, "bit %d", bit)
	}
	base := Tuple4{Addrs: 1, Ports: 2, Proto: 6}
	for _, t2 := range []Tuple4{{2, 2, 6}, {1, 3, 6}, {1, 2, 17}, base.Reverse()} {
		require.NotEqual(t, k.hash4(base), k.hash4(t2), "every field counts")
	}
}

func TestHash6SpreadsAndDependsOnSeed(t *testing.T) {
	k, other := newKeys(1), newKeys(2)
	seen := map[uint64]bool{}
	var ones [64]int
	const n = 1 << 14
	for i := range uint64(n) {
		tuple := Tuple6{Ports: uint32(i & 7 << 8), Proto: 6}
		tuple.Addrs[i>>3&3] = i>>5<<56 | i>>13 | 1<<16 // neighbours in one word, big-endian
		h := (&Table{keys: k}).Hash6(&tuple)
		require.NotEqual(t, h, (&Table{keys: other}).Hash6(&tuple))
		seen[h] = true
		for bit := range ones {
			ones[bit] += int(h >> bit & 1)
		}
	}
	require.Equal(t, n, len(seen), "no two hashes are the same")
	for bit, count := range ones {
		require.InDelta(t, n/2, count, n/20, "bit %d", bit)
	}
	e := twoWay6(1)
	base := e.Tuple(Request)
	fields := []func(*Tuple6){
		func(t *Tuple6) { t.Addrs[0]++ }, func(t *Tuple6) { t.Addrs[1]++ }, func(t *Tuple6) { t.Addrs[2]++ },
		func(t *Tuple6) { t.Addrs[3]++ }, func(t *Tuple6) { t.Ports++ }, func(t *Tuple6) { t.Proto++ },
		func(t *Tuple6) { *t = t.Reverse() }, func(t *Tuple6) { t.Addrs[0], t.Addrs[1] = t.Addrs[1], t.Addrs[0] },
		func(t *Tuple6) { t.Addrs[2], t.Addrs[3] = t.Addrs[3], t.Addrs[2] },
	}
	for i, change := range fields {
		changed := base
		change(&changed)
		require.NotEqual(t, (&Table{keys: k}).Hash6(&base), (&Table{keys: k}).Hash6(&changed), "field %d counts", i)
	}
}
