package flow

import "unsafe"

// PrefetchBuckets starts to load the home buckets of the first n hashes.
func (t *Table) PrefetchBuckets(hashes *[Burst]uint64, n int) {
	prefetchBuckets(unsafe.Pointer(unsafe.SliceData(t.index.buckets)), t.index.homes, hashes, min(n, Burst))
}

// PrefetchEntries starts to load the entries of the first n refs, hot and cold.
// A ref of 0 does no harm.
func (t *Table) PrefetchEntries(refs *[Burst]Ref, n int) {
	prefetchEntries(unsafe.Pointer(unsafe.SliceData(t.hot)), unsafe.Pointer(unsafe.SliceData(t.cold)), refs, min(n, Burst))
}

//go:noescape
func prefetchBuckets(buckets unsafe.Pointer, homes uint64, hashes *[Burst]uint64, n int)

//go:noescape
func prefetchEntries(hot, cold unsafe.Pointer, refs *[Burst]Ref, n int)
