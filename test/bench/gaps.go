package main

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/dpdk/spin"
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
)

const (
	gapFlows  = 1e6
	gapFrames = 1 << 18 // written once and sent again and again
	gapChunk  = 2 << 10 // what is loaded at a time: soon done, and most of the time is the worker's
	gapPolls  = 10e6    // of which p99.9999 leaves ten
	spinFor   = 150 * time.Millisecond
	quietFor  = 150 * time.Millisecond
	churnFor  = 1200 * time.Millisecond
	settleFor = 30 * time.Millisecond // what churn left, such as a collection, ends
)

// gapRun is what the three loops have shown: a busy control plane, an idle one,
// and in place of the worker an empty loop in C on the same thread.
type gapRun struct {
	rig            *rig
	write          func([]byte)
	churned, quiet watch
	spun           watch
	turn           time.Duration // of the C loop: as long as a poll
	churn          *churn
}

// watch is one loop's side.
type watch struct {
	gapCounts
	took     time.Duration
	packets  int
	switches int64 // times that the kernel took the thread off its core
	sleeps   int64 // times that the thread waited while it polled: for a processor of Go's
	faults   int64 // page faults of the thread
}

// gaps measures throughput and gaps while the control plane is busy, beside the
// same without, and beside an empty loop in C on the same core. They take turns,
// because a shared machine's noise comes in phases.
func (b *bench) gaps() error {
	r, err := b.machine.newRig(load.Setup{Mode: service.ModeFullNAT}, gapFlows, flow.Timeouts{})
	if err != nil {
		return err
	}
	g := &gapRun{rig: r}
	frames, err := g.open()
	if err != nil {
		return fmt.Errorf("gaps: %w", err)
	}
	g.churn = startChurn(r)
	for start := time.Now(); err == nil && g.churned.Count() < gapPolls && time.Since(start) < b.gapsLast(); {
		err = b.machine.onCore(g.inTurn)
	}
	if err = errors.Join(err, g.churn.end(), unix.Munmap(frames)); err != nil {
		return fmt.Errorf("gaps: %w", err)
	}
	g.report(b)
	return r.close()
}

// gapsLast is how long gaps are counted at most.
func (b *bench) gapsLast() time.Duration {
	if b.quick {
		return 45 * time.Second
	}
	return 3 * time.Minute
}

// open opens the flows and writes the frames: in memory outside of Go's heap, whose
// size decides how often the collector runs.
func (g *gapRun) open() (frames []byte, err error) {
	r := g.rig
	size := r.frames.Len()
	frames, err = unix.Mmap(-1, 0, gapFrames*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for %d frames: %w: free some", gapFrames, err)
	}
	write := r.request(load.Uniform(gapFlows), 0)
	for i := range gapFrames {
		write(frames[i*size:][:size])
	}
	next := load.InOrder(gapFrames)
	g.write = func(frame []byte) { copy(frame, frames[next()*size:][:size]) }
	return frames, r.onCore(func() error {
		if err := r.fill(gapFlows); err != nil {
			return err
		}
		var first watch
		err := g.worker(&first, quietFor)
		g.turn = first.took / time.Duration(first.Count())
		return err
	})
}

// inTurn has each loop run for a while.
func (g *gapRun) inTurn() error {
	g.spun.usage(func() {
		g.spun.AddClasses(spin.Run(spinFor, g.turn))
	})
	if err := g.worker(&g.quiet, quietFor); err != nil {
		return err
	}
	g.churn.resume()
	err := g.worker(&g.churned, churnFor)
	g.churn.pause()
	time.Sleep(settleFor)
	return err
}

// worker sends packets for a time and counts gaps.
func (g *gapRun) worker(w *watch, long time.Duration) (err error) {
	r := g.rig
	r.polled, r.watched = w.poll, w.asleep
	defer func() { r.polled, r.watched = nil, nil }()
	w.usage(func() {
		for start := time.Now(); err == nil && time.Since(start) < long; w.packets += gapChunk {
			w.begin()
			var took time.Duration
			took, err = r.pass(gapChunk, g.write)
			w.took += took
		}
	})
	return err
}

// usage adds what the kernel did to the thread while fn ran.
func (w *watch) usage(fn func()) {
	var before, after unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &before) // EFAULT and EINVAL are all that it knows
	fn()
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &after)
	w.switches += after.Nivcsw - before.Nivcsw
	w.faults += after.Minflt - before.Minflt
}

// asleep adds or subtracts how often the thread has waited in its life. Go's scheduler is
// not told of the system call: it would use the moment.
func (w *watch) asleep(sign int64) {
	var now unix.Rusage
	_, _, _ = unix.RawSyscall(unix.SYS_GETRUSAGE, unix.RUSAGE_THREAD, uintptr(unsafe.Pointer(&now)), 0)
	w.sleeps += sign * now.Nvcsw
}

func (g *gapRun) report(b *bench) {
	s := &g.spun
	base := Result{SpinP99: s.quantile(0.9999), SpinP9: s.quantile(0.999999), SpinMax: s.longest(), SpinSwitches: s.switches}
	b.report(base.withGaps("gap/quiet", &g.quiet))
	loaded := base.withGaps("gap/churn", &g.churned)
	loaded.Kept = g.quiet.ns() / g.churned.ns()
	loaded.Changes, loaded.Listed = g.churn.changes, g.churn.listed
	b.report(loaded)
}

func (r Result) withGaps(name string, w *watch) Result {
	r.Case, r.NS, r.Polls, r.Switches, r.Sleeps = name, w.ns(), w.Count(), w.switches, w.sleeps
	r.P9999, r.P999999, r.Max = w.quantile(0.9999), w.quantile(0.999999), w.longest()
	return r
}

// ns is the time of a packet.
func (w *watch) ns() float64 { return float64(w.took) / float64(w.packets) }
