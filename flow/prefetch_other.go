//go:build !amd64

package flow

import (
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// PrefetchBuckets loads the home buckets of the first n hashes. The loads do
// not depend on each other, so that their misses overlap.
func (t *Table) PrefetchBuckets(hashes *[packet.BurstSize]uint64, n int) {
	var sum uint64
	for _, hash := range hashes[:min(n, packet.BurstSize)] {
		sum += uint64(t.index.buckets[t.index.home(hash)].none)
	}
	keep(sum)
}

// Candidates finds for each of the first n hashes a ref of its home bucket
// whose tag fits, 0 when there is none, and loads its entry. Match and
// Match6 tell whether it is the one; if not, only Find and Find6 know.
func (t *Table) Candidates(hashes *[packet.BurstSize]uint64, found *Found, n int) {
	for i, hash := range hashes[:min(n, packet.BurstSize)] {
		ref := t.index.candidate(hash)
		found.Refs[i] = ref
		if ref.IPv6() {
			found.entries[i] = unsafe.Pointer(t.At6(ref.Index()))
		} else {
			found.entries[i] = unsafe.Pointer(t.At(ref.Index()))
		}
	}
	var sum uint64
	for _, ref := range found.Refs[:min(n, packet.BurstSize)] {
		i := ref.Index()
		sum += uint64(t.common(i).LastSeen)
		if i.IPv6() {
			sum += t.At6(i).Addrs[Request][0] // the other line
		}
	}
	keep(sum)
}

// prefetch loads a cache line.
func prefetch(line unsafe.Pointer) { keep(uint64(*(*uint32)(line))) }

// prefetchPair loads two cache lines.
func prefetchPair(a, b unsafe.Pointer) { keep(uint64(*(*uint32)(a) + *(*uint32)(b))) }

// keep makes the compiler believe that what was loaded is used.
//
//go:noinline
func keep(uint64) {}

// Prefetch does nothing: it is worth its while only where it does not wait.
func (o *Owned) Prefetch(*Found, int) {}
