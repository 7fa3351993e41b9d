package gap

import (
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

// Publish brings the copy up to date. Only what has changed is written: nearly
// all durations are of a few classes, and a load costs less than a store that
// other cores have to hear of.
func (h *Histogram) Publish(p *Published) {
	for class, n := range h.counts {
		if p.counts[class].Load() != n {
			p.counts[class].Store(n)
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
