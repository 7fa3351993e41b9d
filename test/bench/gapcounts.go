package main

import (
	"time"

	"github.com/sluice-lb/sluice/dpdk/spin"
)

// gapCounts is a histogram of the time from one poll's end to the next one's.
type gapCounts struct {
	counts [spin.Buckets]uint64
	max    time.Duration
	last   time.Duration // end of the poll before, since the chunk began
}

func (g *gapCounts) begin() { g.last = 0 }

func (g *gapCounts) poll(now time.Duration) {
	gap := now - g.last
	g.last = now
	g.counts[spin.Bucket(uint64(gap))]++
	g.max = max(g.max, gap)
}

// total is how many gaps were counted.
func (g *gapCounts) total() (n uint64) {
	for _, count := range g.counts {
		n += count
	}
	return n
}

// longest is in microseconds, as all that follows.
func (g *gapCounts) longest() float64 { return micro(g.max) }

// quantile is the upper bound of the class that a share of all gaps is within.
func (g *gapCounts) quantile(share float64) float64 {
	total, below := g.total(), uint64(0)
	for bucket, n := range g.counts {
		if below += n; float64(below) >= share*float64(total) {
			return min(float64(spin.Bound(bucket))/1e3, g.longest())
		}
	}
	return g.longest()
}

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
