// Package gap counts durations, such as those between two polls of a worker,
// in a histogram of fixed size: adding one is a handful of instructions and
// never allocates.
//
// Runs on: a Histogram belongs to one thread; a Published is written by that
// thread and read by any.
package gap

import (
	"math/bits"
	"time"
)

// Classes is how many classes of durations there are: one for each of the
// first 16 nanoseconds, then 16 for each power of two, so that the bounds of a
// class are 1/16 apart. What lasts longer than 68 s counts as the last.
const (
	Classes   = (limitBits - subBits + 1) * sub
	sub       = 1 << subBits
	subBits   = 4
	limit     = 1<<limitBits - 1 // ns
	limitBits = 36
)

// Histogram counts durations by class. The zero value is empty.
type Histogram struct {
	sum       uint64 // ns
	longest   uint64 // ns
	longestAt time.Duration
	fresh     uint64 // a bit for each power of two in which Add has counted since Publish
	counts    [Classes]uint64
}

// Class is that of a duration in ns.
func Class(ns uint64) int {
	if ns < sub {
		return int(ns)
	}
	ns = min(ns, limit)
	shift := bits.Len64(ns) - 1 - subBits
	return (shift+1)*sub + int(ns>>shift)&(sub-1)
}

// Bound is the least duration in ns that is beyond a class (but the last).
func Bound(class int) uint64 {
	if class < sub {
		return uint64(class) + 1
	}
	shift := class/sub - 1
	return (sub + uint64(class%sub) + 1) << shift
}

// Add counts a duration. now is when it ended, on any clock: see LongestAt.
func (h *Histogram) Add(d, now time.Duration) {
	ns := uint64(max(d, 0))
	class := Class(ns)
	h.counts[class]++
	h.fresh |= 1 << (class / sub)
	h.sum += ns
	if ns > h.longest {
		h.longest, h.longestAt = ns, now
	}
}

// AddClasses adds what was counted by class elsewhere; longest is the longest
// of it. The sum of durations is not known then, and left as it is.
func (h *Histogram) AddClasses(counts *[Classes]uint64, longest time.Duration) {
	for class, n := range counts {
		h.counts[class] += n
	}
	h.longest = max(h.longest, uint64(longest))
}

// Count is how many durations there are.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// Sum is all of them together.
func (h *Histogram) Sum() time.Duration { return time.Duration(h.sum) }

// Longest is the longest of them, exactly; 0 when there is none.
func (h *Histogram) Longest() time.Duration { return time.Duration(h.longest) }

// LongestAt is when that ended, as Add was told.
func (h *Histogram) LongestAt() time.Duration { return h.longestAt }

// Quantile is the upper bound of the class that a share (0 to 1) of all
// durations is within, at most 1/16 above the true one, and never above the
// longest; 0 when there is none.
func (h *Histogram) Quantile(share float64) time.Duration {
	total, below := h.Count(), uint64(0)
	for class, n := range h.counts {
		if below += n; n > 0 && float64(below) >= share*float64(total) {
			if class == Classes-1 {
				break // it has no upper bound
			}
			return min(time.Duration(Bound(class)), h.Longest())
		}
	}
	return h.Longest()
}

// Below is how many durations are shorter than 2^power ns; power is at most 35.
func (h *Histogram) Below(power int) (n uint64) {
	for _, c := range h.counts[:Class(1<<power)] {
		n += c
	}
	return n
}
