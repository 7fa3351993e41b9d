package main

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Two workers on two cores at the same time, beside one.

const patience = 20 * time.Millisecond // without a packet anywhere, before what is missing counts as lost

// lap is one worker's part of a run on two cores.
type lap struct {
	moved atomic.Int64 // frames received and taken over
	_     [56]byte
	start time.Time
	last  time.Time // when it last moved any
}

// twoCores reports what goes through one worker, through two whose packets arrive
// where they belong, and through two whose packets all arrive at the other.
func (b *bench) twoCores(p *pair, name string) error {
	processors := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(processors + 1) // what a daemon with two workers has
	defer runtime.GOMAXPROCS(processors)
	own := [2]func([]byte){p.frames(0), p.frames(1)}
	wrong := [2]func([]byte){own[1], own[0]}
	cases := []struct {
		name   string
		writes []func([]byte)
		moves  int64 // of a packet: received, taken over
	}{{"workers/1/" + name, own[:1], 1}, {"workers/2/" + name, own[:], 1}, {"workers/2/handover/" + name, wrong[:], 2}}
	all := make([][]float64, len(cases))
	lost := make([]float64, len(cases))
	for range b.rounds {
		for i, c := range cases {
			ns, share, err := p.parallel(c.writes, c.moves, b.round)
			if err != nil {
				return err
			}
			all[i], lost[i] = append(all[i], ns), lost[i]+share/float64(b.rounds)
		}
	}
	for i, c := range cases {
		ns := median(all[i])
		b.report(Result{Case: c.name, NS: ns, MPPS: 1e3 / ns, Lost: lost[i]})
	}
	return nil
}

// parallel sends chunks to as many workers as there are writers, to all at the
// same time. It returns ns a forwarded packet and the share that was lost, which
// full hand-over rings do.
func (p *pair) parallel(writes []func([]byte), moves int64, long time.Duration) (ns, lost float64, err error) {
	var took time.Duration
	sent, arrived := 0, 0
	for took < long {
		for i, write := range writes {
			if err := p.rigs[i].onCore(func() error { return p.rigs[i].load(chunk, write) }); err != nil {
				return 0, 0, err
			}
		}
		took += p.race(len(writes), moves*int64(len(writes))*chunk)
		sent += len(writes) * chunk
		for _, r := range p.rigs {
			_ = r.onCore(func() error { arrived += r.collect(); return nil })
		}
	}
	return float64(took) / float64(arrived), 1 - float64(arrived)/float64(sent), nil
}

// race has n workers poll until all of them together have moved so much.
func (p *pair) race(n int, moves int64) time.Duration {
	var laps [2]lap
	var ready atomic.Int32
	var ended []<-chan error
	for i := range n {
		r, mine, other := p.rigs[i], &laps[i], &laps[1-i]
		ended = append(ended, r.eal.Run(r.lcore, func() {
			for ready.Add(1); ready.Load() < int32(n); {
			}
			mine.start = time.Now()
			mine.last = mine.start
			mine.run(r, other, moves)
		}))
	}
	for _, end := range ended {
		if panicked := <-end; panicked != nil {
			panic(panicked)
		}
	}
	first, last := laps[0].start, laps[0].last
	if n == 2 && laps[1].start.Before(first) {
		first = laps[1].start
	}
	if n == 2 && laps[1].last.After(last) {
		last = laps[1].last
	}
	return last.Sub(first)
}

// run polls; it looks at the other's counter only when it has nothing to do.
func (mine *lap) run(r *rig, other *lap, moves int64) {
	for {
		if n := r.worker.Poll(); n > 0 {
			mine.last = time.Now()
			mine.moved.Add(int64(n))
			continue
		}
		if mine.moved.Load()+other.moved.Load() >= moves || time.Since(mine.last) > patience {
			return
		}
	}
}
