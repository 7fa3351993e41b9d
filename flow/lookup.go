package flow

import (
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// Hash is the table's hash of a tuple, different in every table and process.
func (t *Table) Hash(k Tuple4) uint64 { return t.keys.hash4(k) }

// HashKeys are the secret numbers of Hash, for those who compute it on their own:
// x = fold(Addrs^k0, (Ports<<8|Proto)^k1), then fold(x^k2, k3), fold being the
// XOR of a 128-bit product's halves.
func (t *Table) HashKeys() [4]uint64 { return [4]uint64(t.keys[:4]) }

// Homes are for those who load buckets on their own, as PrefetchBuckets does: the
// bucket of a hash is number (hash * homes) >> 64 of 64 bytes each from buckets on.
func (t *Table) Homes() (homes uint64, buckets uintptr) {
	return t.index.homes, uintptr(unsafe.Pointer(unsafe.SliceData(t.index.buckets)))
}

// PrefetchBucket starts to load the home bucket of a hash.
func (t *Table) PrefetchBucket(hash uint64) {
	prefetch(unsafe.Pointer(&t.index.buckets[t.index.home(hash)]))
}

// Found is what Candidates gives for a burst.
type Found struct {
	Refs    [packet.BurstSize]Ref
	entries [packet.BurstSize]unsafe.Pointer
}

// Entry4 is the entry of Refs[i], which is no IPv6 flow's; that of ref 0 fits no packet.
func (f *Found) Entry4(i int) *Entry4 { return (*Entry4)(f.entries[i]) }

// Entry6 is the entry of Refs[i], which is an IPv6 flow's. Of others it must not be read.
func (f *Found) Entry6(i int) *Entry6 { return (*Entry6)(f.entries[i]) }

// Owned is where a caller keeps what it has by backend, 64 bytes each, and by next hop,
// 32 bytes each: where there are so many that they are not in the cache.
type Owned struct{ Loads, Outers, Hops unsafe.Pointer }

// SetFound makes ref the one of packet i.
func (t *Table) SetFound(f *Found, i int, ref Ref) {
	f.Refs[i] = ref
	if ref.IPv6() {
		f.entries[i] = unsafe.Pointer(&t.hot6[ref.Index().position()])
	} else {
		f.entries[i] = unsafe.Pointer(&t.hot4[ref.Index()])
	}
}

// Match says whether the tuple is that of the ref. False for ref 0 and refs of
// IPv6 flows.
func (t *Table) Match(ref Ref, k Tuple4) bool {
	if ref&refIPv6 != 0 {
		return false
	}
	e := &t.hot4[ref.Index()]
	d := ref.Dir()
	return e.Addrs[d]^k.Addrs|uint64(e.Sides[d].Ports^k.Ports)|uint64(e.Proto^k.Proto) == 0 && ref != 0
}

// Chained says whether a tuple with this hash may be elsewhere than in its home
// bucket: if not, and Candidates gave 0, it is not in the table.
func (t *Table) Chained(hash uint64) bool { return t.index.buckets[t.index.home(hash)].next != 0 }

// Find is the ref of a tuple, 0 when it is not in the table. hash is its Hash.
func (t *Table) Find(hash uint64, k Tuple4) Ref {
	tag := tagOf(hash)
	for b := &t.index.buckets[t.index.home(hash)]; ; b = &t.index.buckets[b.next] {
		for found := b.match(tag); found != 0; found &= found - 1 {
			if ref := b.refs[found.first()]; t.Match(ref, k) {
				return ref
			}
		}
		if b.next == 0 {
			return 0
		}
	}
}

// Has says whether a tuple is in the table.
func (t *Table) Has(k Tuple4) bool { return t.Find(t.Hash(k), k) != 0 }
