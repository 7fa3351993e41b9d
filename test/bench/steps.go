package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
)

// step is a case, or a few that are measured together.
type step struct {
	name string
	run  func() error
	long time.Duration // about, on the machine that it was written on

	filled bool // works with bench.filled
}

// all runs what is asked for.
func (b *bench) all() error {
	steps := b.steps()
	left := time.Duration(0)
	for _, s := range steps {
		left += s.long
	}
	start, done := time.Now(), time.Duration(0)
	for i, s := range steps {
		scale := 1.0 // of this machine, as far as it is known
		if done > 0 {
			scale = time.Since(start).Seconds() / done.Seconds()
		}
		fmt.Fprintf(os.Stderr, "%d of %d: %s, about %.1f minutes left\n", i+1, len(steps), s.name, scale*left.Minutes())
		if !s.filled {
			if err := b.drop(); err != nil {
				return err
			}
		}
		if err := s.run(); err != nil {
			return err
		}
		done, left = done+s.long, left-s.long
		runtime.GC() // what the case leaves is not the next one's to collect
	}
	return b.drop()
}

// steps are the cases that were asked for.
func (b *bench) steps() (out []step) {
	rounds := time.Duration(b.rounds) * b.round
	addStep := func(s step) {
		if b.only.MatchString(s.name) {
			out = append(out, s)
		}
	}
	add := func(name string, long time.Duration, run func() error) {
		addStep(step{name: name, run: run, long: long})
	}
	addHits := func(c hits) {
		long := 4*rounds + time.Duration(c.flows/4)*time.Microsecond
		addStep(step{name: c.name, run: func() error { return b.hits(c) }, long: long, filled: true})
	}
	add("macswap/net_null", 2*rounds, b.null)
	addHits(hits{name: "floor", setup: load.Setup{Mode: service.ModeDR}, flows: 1, draw: load.Uniform, floor: true})
	for _, c := range hitCases(b.quick) {
		addHits(c)
	}
	for _, c := range pcapCases(b.quick) {
		add(c.name, 3*rounds+2*time.Second+time.Duration(c.flows)*5*time.Microsecond, func() error { return b.pcap(c) })
	}
	add("handover", 20*rounds, b.handover)
	add("new/udp", 3*rounds+4*time.Second, b.newUDP)
	add("new/tcp", 3*rounds+4*time.Second, b.newTCP)
	add("flood/no-flow", 3*rounds+time.Second, b.flood)
	add("memory", time.Second, b.memory)
	add("fill", 10*time.Second, b.fill)
	add("gap/churn", b.gapsLast()+2*time.Second, b.gaps)
	return out
}
