package main

import (
	"time"

	"github.com/sluice-lb/sluice/worker/gap"
)

// gapCounts counts the time from one poll's end to the next one's. (The worker's
// own histogram would hold the time in which frames are refilled, too.)
type gapCounts struct {
	gap.Histogram
	last time.Duration // end of the poll before, since the chunk began
}

func (g *gapCounts) begin() { g.last = 0 }

func (g *gapCounts) poll(now time.Duration) {
	g.Add(now-g.last, now)
	g.last = now
}

// longest is in microseconds, as all that follows.
func (g *gapCounts) longest() float64 { return micro(g.Longest()) }

// quantile is the upper bound of the class that a share of all gaps is within.
func (g *gapCounts) quantile(share float64) float64 { return micro(g.Quantile(share)) }

func micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
