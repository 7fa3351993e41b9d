package worker

import (
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/worker/gap"
)

// meter tells how busy the worker is, from the one clock reading that each poll
// begins with anyway. A gap is the time from the beginning of one poll to that
// of the next: for so long a frame may wait in a device before it is looked at.
type meter struct {
	last   time.Duration // when the poll before began
	busy   time.Duration // gaps that began with a poll that moved frames, together
	moved  bool          // the poll before moved frames
	paused bool          // the worker slept since, or has not polled before
	gaps   gap.Histogram
}

// begin is told when a poll begins. Time that the worker slept on purpose (see
// idler) is no gap, nor is what the kernel adds by waking it late: a histogram
// of sleeps would hide the stalls. A gap after a sleep is therefore not counted
// at all. It is not busy time either: only a worker that moved nothing sleeps.
func (m *meter) begin(now time.Duration) {
	since := now - m.last
	m.last = now
	if m.paused {
		m.paused = false
		return
	}
	m.gaps.Add(since, now)
	if m.moved {
		m.busy += since
	}
}

// arrivals is what the worker took from one port.
type arrivals struct {
	packets    uint64
	bursts     uint64 // that were not empty
	full       uint64 // of these, with BurstSize frames: more were waiting
	handedOver uint64 // packets that other workers own
}

func (a *arrivals) count(n int) {
	a.packets += uint64(n)
	a.bursts++
	if n == packet.BurstSize {
		a.full++
	}
}

// Arrivals is what a worker took from one port since it was made.
type Arrivals struct {
	Packets    uint64
	Bursts     uint64 // receive bursts that were not empty
	Full       uint64 // of these, with packet.BurstSize frames: more were waiting
	HandedOver uint64 // of the packets, those that went to another worker
}

// pace is the published copy of a meter and of arrivals.
type pace struct {
	clock, busy atomic.Int64 // ns
	gaps        gap.Published
	ports       []publishedArrivals
}

type publishedArrivals struct{ packets, bursts, full, handedOver atomic.Uint64 }

func (w *Worker) publishPace() {
	p := &w.published.pace
	p.busy.Store(int64(w.meter.busy))
	p.clock.Store(int64(w.meter.last))
	w.meter.gaps.Publish(&p.gaps)
	for i := range w.arrivals {
		a, port := &w.arrivals[i], &p.ports[i]
		port.packets.Store(a.packets)
		port.bursts.Store(a.bursts)
		port.full.Store(a.full)
		port.handedOver.Store(a.handedOver)
	}
}

// Busy is the time that went by in polls that moved frames, and all of the time
// up to then, since the worker was made: the share of one in the other, between
// two calls, is how busy the worker was.
func (s *Stats) Busy() (busy, clock time.Duration) {
	return time.Duration(s.pace.busy.Load()), time.Duration(s.pace.clock.Load())
}

// Gaps is a histogram of the time between the beginnings of two polls, without
// those that the worker slept between. Its clock is that of Busy.
func (s *Stats) Gaps() *gap.Histogram { return s.pace.gaps.Read() }

// Port is what came from a port, by index.
func (s *Stats) Port(port int) Arrivals {
	p := &s.pace.ports[port]
	return Arrivals{Packets: p.packets.Load(), Bursts: p.bursts.Load(), Full: p.full.Load(), HandedOver: p.handedOver.Load()}
}
