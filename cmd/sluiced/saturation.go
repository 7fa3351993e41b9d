package main

import (
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/worker"
)

// A worker is saturated when it is busy nearly all of the time and finds full
// bursts, and that for some looks in a row. Busy alone says little: where bursts
// are small, a busy worker has only to let them grow. Full bursts alone say
// little either: after a sleep or a stall the next burst is full, once.
const (
	busyShare = 0.9 // of time
	fullShare = 0.5 // of the bursts from one port
	settle    = 3   // looks, of one a second
)

// saturation knows what workers did in the last second, and for how long they
// have not kept up.
type saturation struct {
	plane *dataplane

	mu        sync.Mutex // guards what follows
	workers   []recent
	mostMbufs int
}

// recent is what one worker did between the last two looks.
type recent struct {
	before sample
	busy   float64
	fill   []float64 // by port: mean packets of a burst
	full   []float64 // by port: share of full bursts
	spell  spell
}

// sample is a worker's counters at a look.
type sample struct {
	busy, clock time.Duration
	ports       []worker.Arrivals
}

func newSaturation(plane *dataplane) *saturation {
	s := &saturation{plane: plane, workers: make([]recent, len(plane.workers))}
	for i := range s.workers {
		r := &s.workers[i]
		r.before.ports = make([]worker.Arrivals, len(plane.ports))
		r.fill, r.full = make([]float64, len(plane.ports)), make([]float64, len(plane.ports))
	}
	return s
}

// look is called every second.
func (s *saturation) look(log *slog.Logger, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mostMbufs = max(s.mostMbufs, s.plane.pool.InUse())
	for i, w := range s.plane.workers {
		r := &s.workers[i]
		r.look(takeSample(w.Stats(), len(s.plane.ports)))
		was := r.spell
		if !r.spell.look(now, r.saturated()) {
			continue
		}
		if r.spell.on {
			log.Warn("worker does not keep up", "worker", i, "since", r.spell.since, "busy", r.busy, "full_bursts", r.full)
		} else {
			log.Info("worker keeps up again", "worker", i, "after", now.Sub(was.since).Round(time.Second))
		}
	}
}

func takeSample(s *worker.Stats, ports int) sample {
	out := sample{ports: make([]worker.Arrivals, ports)}
	out.busy, out.clock = s.Busy()
	for i := range out.ports {
		out.ports[i] = s.Port(i)
	}
	return out
}

// look compares a sample with the one before. A worker that has not published
// since is as it was: the watchdog looks after those that do nothing any more.
func (r *recent) look(now sample) {
	elapsed := now.clock - r.before.clock
	if elapsed <= 0 {
		return
	}
	r.busy = min(float64(now.busy-r.before.busy)/float64(elapsed), 1)
	for i, p := range now.ports {
		was := r.before.ports[i]
		r.fill[i], r.full[i] = 0, 0
		if bursts := float64(p.Bursts - was.Bursts); bursts > 0 {
			r.fill[i] = float64(p.Packets-was.Packets) / bursts
			r.full[i] = float64(p.Full-was.Full) / bursts
		}
	}
	r.before = now
}

func (r *recent) saturated() bool {
	most := 0.0
	for _, share := range r.full {
		most = max(most, share)
	}
	return r.busy >= busyShare && most >= fullShare
}

// spell is a time in which something is so. It begins and ends when settle looks
// in a row say so, and then counts from the first of them.
type spell struct {
	on     bool
	since  time.Time // valid iff on
	turns  int       // looks in a row that say otherwise
	turned time.Time // the first of them
}

// look tells whether the spell has begun or ended with this one.
func (s *spell) look(now time.Time, on bool) (changed bool) {
	if on == s.on {
		s.turns = 0
		return false
	}
	if s.turns++; s.turns == 1 {
		s.turned = now
	}
	if s.turns < settle {
		return false
	}
	*s = spell{on: on, since: s.turned}
	return true
}

// mbufs is the most that were in use at a look.
func (s *saturation) mbufs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mostMbufs
}

// show adds to a worker how busy it is.
func (s *saturation) show(w *api.Worker, ports []config.Port) {
	stats := s.plane.workers[w.ID].Stats()
	busy, _ := stats.Busy()
	w.BusySeconds = busy.Seconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &s.workers[w.ID]
	w.Busy = r.busy
	if r.spell.on {
		since := r.spell.since
		w.SaturatedSince = &since
	}
	for i, port := range ports {
		a := stats.Port(i)
		w.Ports = append(w.Ports, api.Arrivals{Port: port.Name, Packets: a.Packets, Bursts: a.Bursts, FullBursts: a.Full,
			HandedOver: a.HandedOver, Fill: r.fill[i], Full: r.full[i]})
	}
}
