package flow

import (
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// PrefetchBuckets starts to load the home buckets of the first n hashes.
func (t *Table) PrefetchBuckets(hashes *[packet.BurstSize]uint64, n int) {
	prefetchBuckets(unsafe.Pointer(unsafe.SliceData(t.index.buckets)), t.index.homes, hashes, min(n, packet.BurstSize))
}

// PrefetchEntries starts to load the entries of the first n refs (of an IPv6
// flow's both lines). A ref of 0 does no harm.
func (t *Table) PrefetchEntries(refs *[packet.BurstSize]Ref, n int) {
	hot4, hot6 := unsafe.Pointer(unsafe.SliceData(t.hot4)), unsafe.Pointer(unsafe.SliceData(t.hot6))
	prefetchEntries(hot4, hot6, refs, min(n, packet.BurstSize))
}

//go:noescape
func prefetchBuckets(buckets unsafe.Pointer, homes uint64, hashes *[packet.BurstSize]uint64, n int)

//go:noescape
func prefetchEntries(hot4, hot6 unsafe.Pointer, refs *[packet.BurstSize]Ref, n int)
