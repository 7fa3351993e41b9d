// Command instructions drives the production worker in a way that callgrind
// can count: bursts of 64 and a port that only hands out pointers.
// `make bench-instructions` runs it under valgrind, once per case, and divides.
//
// Two runs count the same to less than 0.1%. What would differ is kept out: the
// worker's seed and the table's are fixed; what falls due by the clock
// (publishing, the wheel's ticks, the limits' refill) is done by an empty poll
// just before each that counts; and Go's scheduler, which would preempt in the
// middle of it, is given its turn before.
//
// Runs on: one goroutine, the collector off. No DPDK: valgrind does not know all
// instructions that it uses, and net_ring's part is not ours to count.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
	"github.com/sluice-lb/sluice/worker"
)

const (
	known = 1024 // flows of cases that open none
	warm  = 16   // bursts that are not counted
)

func main() {
	name := flag.String("case", "fullnat/ipv4", "mode/family, of replies mode/family/reply, of packets that open flows mode/family/new")
	bursts := flag.Int("bursts", 1000, "how many bursts of 64 to count")
	flag.Parse()
	if err := run(*name, *bursts); err != nil {
		fmt.Fprintln(os.Stderr, "instructions:", err)
		os.Exit(1)
	}
}

// kind is the last part of a case's name.
type kind string

const (
	requests kind = ""
	replies  kind = "reply"
	opening  kind = "new"
)

func run(name string, bursts int) error {
	debug.SetGCPercent(-1)
	parts := append(strings.Split(name, "/"), "", "")
	mode, ok := service.ParseMode(parts[0])
	what := kind(parts[2])
	if !ok || parts[1] == "" || what != requests && what != replies && what != opening {
		return fmt.Errorf("case: %s: no such: use e.g. dr/ipv4, nat/ipv6, fullnat/ipv4/reply, fullnat/ipv4/new", name)
	}
	all := (warm + bursts) * packet.BurstSize
	flows, opened := known, 0
	if what == opening {
		flows, opened = known+all, all
	}
	r, err := newRig(load.Setup{Mode: mode, IPv6: parts[1] == "ipv6"}, flows)
	if err != nil {
		return err
	}
	r.count(r.writer(what, flows), bursts)
	if want := all + known; r.port.sent != want || r.table.Len() != known+opened {
		return fmt.Errorf("case %s: %d of %d packets forwarded, %d of %d flows: a bug in Sluice or its benchmark, report it",
			name, r.port.sent, want, r.table.Len(), known+opened)
	}
	return nil
}

// count has bursts counted after some that warm up.
func (r *rig) count(write func([]byte), bursts int) {
	for i := range warm + bursts {
		r.fill(write)
		runtime.Gosched()
		r.port.empty = true
		r.worker.Poll()
		r.port.empty = false
		if i < warm {
			r.worker.Poll()
			continue
		}
		counted(r.worker)
	}
}

// counted is where callgrind counts.
//
//go:noinline
func counted(w *worker.Worker) { w.Poll() }
