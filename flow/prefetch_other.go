//go:build !amd64

package flow

import "github.com/sluice-lb/sluice/packet"

// PrefetchBuckets loads the home buckets of the first n hashes. The loads do
// not depend on each other, so that their misses overlap.
func (t *Table) PrefetchBuckets(hashes *[packet.BurstSize]uint64, n int) {
	var sum uint64
	for _, hash := range hashes[:min(n, packet.BurstSize)] {
		sum += t.index.buckets[t.index.home(hash)].tags[0]
	}
	keep(sum)
}

// PrefetchEntries loads the entries of the first n refs, of both families. A ref of 0 does no harm.
func (t *Table) PrefetchEntries(refs *[packet.BurstSize]Ref, n int) {
	var sum uint64
	for _, ref := range refs[:min(n, packet.BurstSize)] {
		i := ref.Index()
		sum += uint64(t.common(i).LastSeen)
		if i.IPv6() {
			sum += t.At6(i).Addrs[Request][0] // the other line
		}
	}
	keep(sum)
}

// keep makes the compiler believe that what was loaded is used.
//
//go:noinline
func keep(uint64) {}
