package worker

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/thread"
)

// breatheEvery is how long Go's runtime waits at most before it gets at a worker that
// holds its thread: stops of the world last as much longer, for all others. It is no
// shorter because each breath is also a moment in which Go's monitor may take the
// worker's processor (docs/decisions/stalls.md).
const breatheEvery = time.Millisecond

// grip is a worker's hold on its thread.
type grip struct {
	held     bool
	breathed time.Duration // since the worker was made
}

// Hold keeps Go's scheduler away from the worker's thread until Release, but for the
// moments that Poll gives it: see package thread. Meanwhile ports, pools and whatever
// else the worker was given must not block, as those of package dpdk do not. The
// thread is the caller's.
func (w *Worker) Hold() {
	thread.Hold()
	w.grip.held = true
}

// Release ends Hold.
func (w *Worker) Release() {
	w.grip.held = false
	thread.Release()
}

// breathe lets Go's runtime at the worker when it is due.
func (g *grip) breathe(now time.Duration) {
	if g.held && now-g.breathed >= breatheEvery {
		g.breathed = now
		thread.Breathe()
	}
}

// sleep pauses between two polls.
func (w *Worker) sleep(pause time.Duration) {
	if w.grip.held {
		w.Release()
		defer w.Hold()
	}
	ts := unix.NsecToTimespec(pause.Nanoseconds())
	_ = unix.Nanosleep(&ts, nil) // woken early is as good
	w.meter.paused = true
}
