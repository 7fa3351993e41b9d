package gap

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Published is a copy of a Histogram that other threads read.
type Published struct {
	counts    [Classes]atomic.Uint64
	sum       atomic.Uint64
	longest   atomic.Uint64
	longestAt atomic.Int64
}

// Publish brings the copy up to date; always the same one. It looks only at the
// powers of two in which something was counted since: of a worker's gaps nearly
// all are of a few.
func (h *Histogram) Publish(p *Published) {
	for ; h.fresh != 0; h.fresh &= h.fresh - 1 {
		first := bits.TrailingZeros64(h.fresh) * sub
		for class := first; class < first+sub; class++ {
			p.counts[class].Store(h.counts[class])
		}
	}
	p.sum.Store(h.sum)
	p.longestAt.Store(int64(h.longestAt))
	p.longest.Store(h.longest)
}

// Read is what was published. A class may be a publication ahead of another.
func (p *Published) Read() *Histogram {
	h := &Histogram{sum: p.sum.Load(), longest: p.longest.Load(), longestAt: time.Duration(p.longestAt.Load())}
	for class := range p.counts {
		h.counts[class] = p.counts[class].Load()
	}
	return h
}
