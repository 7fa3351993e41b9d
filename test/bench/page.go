package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const method = `The benchmark (` + "`test/bench`" + `) drives the production worker, not a copy: its ` + "`Poll`" + ` on the worker's EAL
lcore, on a net_ring port with rings for 32,768 frames and buffers of a DPDK pool. Chunks of 16,384 frames of
drawn flows are written outside of the timed section, 64 bytes each without FCS, UDP unless the case says
otherwise; what is timed is Poll alone, from the receive burst to the transmit burst, with expiry, counters,
mailbox and publishing. One port, one service with 64 backends, each behind a next hop of its own, unless the
case says otherwise. Each round of a case alternates with a round of ` + "`dpdk-testpmd --forward-mode=macswap`" + ` on
net_ring on the same core; figures are medians of rounds. testpmd passes the same few hundred buffers round
and round, which stay in the nearest cache; ours do not: the ratio is against the best case. floor is the same rig without
a worker: a Go loop that receives bursts and transmits them as they are, two crossings into C each; it looks at no frame.

New flows are opened in fullnat, which has to find a local port for each. All time-outs are a second there, so that
as many flows end as begin; a TCP connection is SYN, SYN+ACK, ACK, and FIN both ways with the last ACK, the
backend's packets made of what the worker transmitted.

pcap/ is a net_pcap port with infinite_rx on a file of one frame a flow, for the worker and for a testpmd of its own:
the device copies each frame into a new buffer and frees what is transmitted, which both pay for. handover/one-core has
one thread poll two workers in turn, the packets arriving at the first and belonging to the second: the time of both
polls, less that of packets which arrive where they belong. Nothing moves between cores' caches there. workers/2 are two
workers on two cores, all packets of a flow arriving at its owner or (handover) all at the other; on a machine of two
cores the second worker shares its core with the threads of everything else, which sleep meanwhile. Frames that find
the hand-over ring (2,048 places) full are lost, and do not count as forwarded.

Gaps are from the end of one poll to the end of the next within a chunk, the poll's own work on 64 packets included.
The C loop does nothing but read the clock on the same thread, and its turns are as long as a poll, so that the same
quantile is as rare an event. C loop, worker with an idle control plane (gap/quiet) and with a busy one (gap/churn)
take turns of a fraction of a second: the noise of a shared machine comes in phases. Busy is: a weight changes 100 times
a second, all counters are read once a second, and all of a million flows are listed over and over. The run ends with
the ten-millionth poll, or when its time is up; with fewer than a few million polls p99.9999 is hardly less than max.
"Off its core" is how often the kernel put another thread in the loop's place, "asleep" how often Go's scheduler had the
worker wait for a processor of its: that is ours, whatever else the machine does (docs/decisions/stalls.md).

Times say little on a machine that others use; ` + "`make bench-instructions`" + ` counts the instructions of a poll by
callgrind, 64 packets of 1,024 flows each or 64 new flows, on a port that only hands out pointers.
`

const misses = `The targets come from a prototype without IPv6, time-outs, counters by backend and a check of every header. What
a packet costs here is the floor, the instructions of a poll and what they load (` + "`docs/decisions/memory.md`" + `). With IPv4, dr takes
about 230 instructions and fullnat 280 (` + "`make bench-instructions`" + `), of them 70 for validating and hashing, 35 for the search of tags,
110 for dr's comparing, checks, rewrite and counting: some 16 ns. 16,384 frames add 5 or 6, more than a thousand flows up to
20, most of it the translation of addresses: frames, buckets and entries are each in another page.
` + "`docs/decisions/assembly.md`" + ` says what has been done about it, and what has not.
`

// writePage writes performance.md and its chart from results.
func writePage(folder string, results []Result) error {
	if err := writeChart(filepath.Join(folder, "performance.svg"), results); err != nil {
		return err
	}
	var s strings.Builder
	s.WriteString("# Performance\n\n<!-- Written by `make bench` from build/bench.json: do not edit. The method is in test/bench/page.go. -->\n\n")
	for _, r := range results {
		if r.Machine != nil {
			r.Machine.write(&s)
		}
	}
	s.WriteString("![ns a packet](performance.svg)\n\n")
	section(&s, "Packets of known flows", packets(results), "| case | ns | Mpps | rounds from - to | macswap ns | ratio | target ns |\n|---|---|---|---|---|---|---|\n", func(r Result) string {
		return fmt.Sprintf("| %s | %.1f | %.1f | %.1f - %.1f | %.1f | %.1f | %s |\n", r.Case, r.NS, r.MPPS, r.Low, r.High, r.Macswap, r.Ratio, r.goal())
	})
	section(&s, "Two workers", pairRows(results), "| case | ns | Mpps | of it hand-over | without | lost |\n|---|---|---|---|---|---|\n", func(r Result) string {
		return fmt.Sprintf("| %s | %.1f | %.1f | %s | %s | %.2f%% |\n", r.Case, r.NS, r.MPPS, orDash(r.Handover), orDash(r.Direct), 100*r.Lost)
	})
	section(&s, "Packets without a flow", fresh(results), "| case | M/s | flows held | ended for each that began | time-out | target |\n|---|---|---|---|---|---|\n", func(r Result) string {
		perS := r.PerS
		if perS == 0 {
			perS = 1e9 / r.NS
		}
		return fmt.Sprintf("| %s | %.2f | %d | %.2f | %s | %s |\n", r.Case, perS/1e6, r.FlowsHeld, r.Expired, r.Timeout, r.goal())
	})
	section(&s, "Gaps between two polls, in microseconds", gapRows(results), "| case | p99.99 | p99.9999 | max | C loop: p99.99 | p99.9999 | max | M polls | off its core | C loop | asleep | throughput kept | changes | flows listed |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n", func(r Result) string {
		kept := ""
		if r.Kept > 0 {
			kept = fmt.Sprintf("%.0f%%", 100*r.Kept)
		}
		return fmt.Sprintf("| %s | %.1f | %.1f | %.0f | %.1f | %.1f | %.0f | %.1f | %d | %d | %d | %s | %d | %d |\n", r.Case, r.P9999, r.P999999, r.Max, r.SpinP99, r.SpinP9, r.SpinMax, float64(r.Polls)/1e6, r.Switches, r.SpinSwitches, r.Sleeps, kept, r.Changes, r.Listed)
	})
	section(&s, "Memory", memoryRows(results), "| case | bytes a flow | target |\n|---|---|---|\n", func(r Result) string {
		return fmt.Sprintf("| %s | %.1f | %s |\n", r.Case, r.Bytes, r.goal())
	})
	s.WriteString("## What misses its target, and why\n\n" + misses + "\n## Method\n\n" + method)
	return os.WriteFile(filepath.Join(folder, "performance.md"), []byte(s.String()), 0o644)
}

func (m *Machine) write(s *strings.Builder) {
	pages, run := "without hugepages", "full"
	if m.Hugepages {
		pages = "with hugepages"
	}
	if m.Quick {
		run = "quick"
	}
	fmt.Fprintf(s, "%s, %d cores (worker on %d, second worker on %d, the rest on %d), Linux %s, %s %s, %s, commit %s, %s: a %s run, %d rounds of %d ms a case. Load averages at the start: %s; beyond 0.1 others were at work, and times and gaps are theirs, too.\n\n",
		m.CPU, m.Cores, m.Core, m.SecondCore, m.MainCore, m.Kernel, m.DPDK, pages, m.Go, m.Commit, m.Date, run, m.Rounds, m.RoundMS, m.Load)
}

func section(s *strings.Builder, title string, rows []Result, head string, row func(Result) string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(s, "## %s\n\n%s", title, head)
	for _, r := range rows {
		s.WriteString(row(r))
	}
	s.WriteByte('\n')
}

// goal is the target, or that there is none.
func (r Result) goal() string {
	if r.Target == 0 {
		return "-"
	}
	return r.judged()
}

func choose(results []Result, keep func(Result) bool) (out []Result) {
	for _, r := range results {
		if keep(r) {
			out = append(out, r)
		}
	}
	return out
}

func fresh(results []Result) []Result {
	return choose(results, func(r Result) bool {
		return r.PerS > 0 || r.NS > 0 && r.Macswap == 0 && r.P999999 == 0 && !r.ofPair()
	})
}

func pairRows(results []Result) []Result { return choose(results, Result.ofPair) }

// ofPair is of the cases of two workers.
func (r Result) ofPair() bool {
	return strings.HasPrefix(r.Case, "handover/") || strings.HasPrefix(r.Case, "workers/")
}

func orDash(ns float64) string {
	if ns == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", ns)
}

func gapRows(results []Result) []Result {
	return choose(results, func(r Result) bool { return r.P999999 > 0 })
}

func memoryRows(results []Result) []Result {
	return choose(results, func(r Result) bool { return r.Bytes > 0 })
}
