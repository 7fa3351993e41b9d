package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/dpdk"
)

// bench is one run.
type bench struct {
	options options
	machine *machine
	testpmd *testpmd
	rounds  int
	round   time.Duration // timed part of one round
	quick   bool
	only    *regexp.Regexp
	results []Result
	kept    filledRig // of the last case of known flows
}

type options struct {
	quick, hugepages         bool
	core, second, mainCore   int
	only, json, docs, commit string
}

func main() {
	var o options
	flag.BoolVar(&o.quick, "quick", false, "the cases that later changes are compared by, in a few minutes")
	flag.BoolVar(&o.hugepages, "hugepages", true, "DPDK's memory on hugepages, which must be there")
	flag.IntVar(&o.core, "core", 1, "CPU of the worker and of testpmd's forwarding")
	flag.IntVar(&o.second, "second-core", -1, "CPU of the second worker in cases of two; -1: 2, or that of everything else when there is no 2")
	flag.IntVar(&o.mainCore, "main-core", 0, "CPU of everything else")
	flag.StringVar(&o.only, "only", "", "run the cases that match this regular expression alone")
	flag.StringVar(&o.json, "json", "build/bench.json", "where results go")
	flag.StringVar(&o.docs, "docs", "", "folder for performance.md and performance.svg; empty: none")
	flag.StringVar(&o.commit, "commit", "unknown", "what is measured")
	flag.Parse()
	if o.second < 0 {
		if o.second = 2; runtime.NumCPU() < 3 {
			o.second = o.mainCore
		}
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	b := &bench{options: o, rounds: 7, round: 200 * time.Millisecond, quick: o.quick, only: only}
	if o.quick {
		b.rounds, b.round = 5, 100*time.Millisecond
	}
	// First, while this process may still use all cores.
	b.testpmd, err = startTestpmd(testpmdConfig{name: "sluice-testpmd", mainCore: o.mainCore, core: o.core, hugepages: o.hugepages,
		devices: []string{"net_ring0", "net_null0"}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.testpmd.close()) }()
	if b.machine, err = openMachine(o); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.machine.close()) }()
	b.results = []Result{{Case: "machine", Machine: b.describe(o)}}
	if err := b.all(); err != nil {
		return err
	}
	if err := writeResults(o.json, b.results); err != nil {
		return err
	}
	printTable(os.Stdout, b.results)
	if o.docs == "" {
		return nil
	}
	return writePage(o.docs, b.results)
}

// null is testpmd without a ring to wait for.
func (b *bench) null() error {
	b.testpmd.port = nullPort
	defer func() { b.testpmd.port = ringPort }()
	var all []float64
	for range b.rounds {
		ns, err := b.testpmd.measure(b.round)
		if err != nil {
			return err
		}
		all = append(all, ns)
	}
	b.report(Result{Case: "macswap/net_null", Macswap: median(all)})
	return nil
}

// report keeps a result and shows that there is one.
func (b *bench) report(r Result) {
	b.results = append(b.results, r)
	fmt.Println(r.line())
}

func (b *bench) describe(o options) *Machine {
	m := &Machine{CPU: "unknown", Cores: runtime.NumCPU(), DPDK: dpdk.Version(), Go: runtime.Version(), Commit: o.commit,
		Hugepages: b.machine.eal.HasHugepages(), Quick: o.quick, Rounds: b.rounds, RoundMS: b.round.Milliseconds(),
		Date: time.Now().UTC().Format(time.DateOnly)}
	m.Core, m.SecondCore, m.MainCore = o.core, o.second, o.mainCore
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		m.Kernel = unix.ByteSliceToString(uts.Release[:])
	}
	text, _ := os.ReadFile("/proc/loadavg")
	m.Load = strings.Join(append(strings.Fields(string(text)), "", "", "")[:3], " ")
	text, _ = os.ReadFile("/proc/cpuinfo")
	if _, rest, ok := strings.Cut(string(text), "model name"); ok {
		line, _, _ := strings.Cut(rest, "\n")
		m.CPU = strings.TrimLeft(line, "\t :")
	}
	return m
}
