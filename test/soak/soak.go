package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/client"
)

// soak is the test and what all its parts share.
type soak struct {
	lab     *lab
	api     *client.Client
	seed    uint64
	pid     int // of the daemon
	workers int
	steady  []*site
	rough   []*site
	harms   *harms
	tally   *tally
	watch   *watch
	mu      sync.Mutex // held for each change of the configuration
	macs    [2][6]byte // of the gateway's ports
	sums    map[string]string
	last    []api.Worker // when still was last asked
}

func newSoak(l *lab, seed uint64) *soak {
	h := new(harms)
	return &soak{
		lab: l, seed: seed, api: &client.Client{Socket: l.dir + "/control.sock"},
		steady: steadySites(l), rough: roughSites(l), harms: h, tally: newTally(h),
	}
}

// prepare asks the daemon who it is and starts our own servers.
func (s *soak) prepare() error {
	status, err := s.api.Status(context.Background())
	if err != nil {
		return err
	}
	s.pid, s.workers = status.PID, status.Workers
	if err := s.portMACs(); err != nil {
		return err
	}
	if s.watch, err = openWatch(s.lab); err != nil {
		return err
	}
	s.tally.tell = s.watch.tell
	if s.sums, err = sums(s.lab.root); err != nil {
		return err
	}
	return s.lab.serveAll()
}

// phase is a stretch of time in which everything goes on.
type phase struct {
	ctx     context.Context
	seed    [2]uint64 // of the next loop
	running sync.WaitGroup
}

// phase runs everything for d; what is under way then ends in its own time. It
// fails if the daemon does.
func (s *soak) phase(ctx context.Context, d time.Duration, n uint64) error {
	limited, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	p := &phase{ctx: limited, seed: [2]uint64{s.seed, n << 32}}
	for _, start := range []func(*phase) error{s.connect, s.exchange, s.churn, s.disturb, s.hostile} {
		if err := start(p); err != nil {
			return err
		}
	}
	s.progress(p, time.Now().Add(d))
	p.running.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ended early: %w", err)
	}
	_, err := s.api.Status(ctx)
	return err
}

// loop calls do again and again, with pauses of this length on average, until the
// phase ends. Its random numbers are the same in every run with one seed.
func (p *phase) loop(pause time.Duration, do func(r *rand.Rand)) {
	p.seed[1]++
	r := rand.New(rand.NewPCG(p.seed[0], p.seed[1]))
	p.running.Go(func() {
		p.sleep(time.Duration(r.Int64N(int64(pause) + 1)))
		for p.ctx.Err() == nil {
			do(r)
			p.sleep(pause/2 + time.Duration(r.Int64N(int64(pause)+1)))
		}
	})
}

// sleep pauses, not beyond the end of the phase.
func (p *phase) sleep(d time.Duration) {
	select {
	case <-p.ctx.Done():
	case <-time.After(d):
	}
}

// progress prints a line every ten seconds.
func (s *soak) progress(p *phase, end time.Time) {
	p.running.Go(func() {
		for {
			p.sleep(10 * time.Second)
			if p.ctx.Err() != nil {
				return
			}
			flows := "? flows"
			if status, err := s.api.Status(context.Background()); err == nil {
				flows = fmt.Sprintf("%d flows, %d evicted", status.Flows, status.Evicted)
			}
			fmt.Printf("%s, %s, %.0f s left\n", s.tally.line(), flows, time.Until(end).Seconds())
		}
	})
}
