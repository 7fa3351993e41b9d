package flow

import (
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// PrefetchBuckets starts to load the home buckets of the first n hashes.
func (t *Table) PrefetchBuckets(hashes *[packet.BurstSize]uint64, n int) {
	prefetchBuckets(unsafe.Pointer(unsafe.SliceData(t.index.buckets)), t.index.homes, hashes, min(n, packet.BurstSize))
}

// Candidates finds for each of the first n hashes a ref of its home bucket
// whose tag fits, 0 when there is none, and starts to load its entry (of an
// IPv6 flow's both lines). Match and Match6 tell whether it is the one; if not,
// only Find and Find6 know.
func (t *Table) Candidates(hashes *[packet.BurstSize]uint64, found *Found, n int) {
	b := batchTable{
		unsafe.Pointer(unsafe.SliceData(t.index.buckets)), t.index.homes,
		unsafe.Pointer(unsafe.SliceData(t.hot4)), unsafe.Pointer(unsafe.SliceData(t.hot6)),
	}
	candidates(&b, hashes, &found.Refs, &found.entries, min(n, packet.BurstSize))
}

// Prefetch starts to load what the caller keeps for the backends and next hops of
// the first n entries found.
func (o *Owned) Prefetch(found *Found, n int) { prefetchOwned(found, min(n, packet.BurstSize), o) }

// batchTable is what the assembly reads of a table.
type batchTable struct {
	buckets    unsafe.Pointer
	homes      uint64
	hot4, hot6 unsafe.Pointer
}

//go:noescape
func prefetchBuckets(buckets unsafe.Pointer, homes uint64, hashes *[packet.BurstSize]uint64, n int)

// prefetch starts to load a cache line.
//
//go:noescape
func prefetch(line unsafe.Pointer)

// prefetchPair starts to load two.
//
//go:noescape
func prefetchPair(a, b unsafe.Pointer)

//go:noescape
func prefetchOwned(found *Found, n int, o *Owned)

//go:noescape
func candidates(t *batchTable, hashes *[packet.BurstSize]uint64, refs *[packet.BurstSize]Ref, entries *[packet.BurstSize]unsafe.Pointer, n int)
