package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// Result is one line of build/bench.json. What does not apply is left out.
type Result struct {
	Case string `json:"case"`

	// Packets of known flows: ns a packet, medians of rounds.
	NS      float64 `json:"ns,omitempty"`
	MPPS    float64 `json:"mpps,omitempty"`
	Low     float64 `json:"ns_low,omitempty"` // fastest and slowest round
	High    float64 `json:"ns_high,omitempty"`
	Macswap float64 `json:"macswap_ns,omitempty"` // testpmd in the same rounds
	Ratio   float64 `json:"ratio,omitempty"`      // NS / Macswap
	Target  float64 `json:"target,omitempty"`     // in the unit of the case's main figure

	// Two workers.
	Direct   float64 `json:"direct_ns,omitempty"`   // of a packet that arrives at its owner
	Handover float64 `json:"handover_ns,omitempty"` // NS less that
	Lost     float64 `json:"lost_share,omitempty"`  // to full hand-over rings

	// Packets that open flows.
	PerS      float64 `json:"per_s,omitempty"`
	FlowsHeld int     `json:"flows_held,omitempty"`    // in the table while measured
	Expired   float64 `json:"expired_share,omitempty"` // flows that ended / that began, meanwhile
	Timeout   string  `json:"timeout,omitempty"`

	Bytes float64 `json:"bytes_per_flow,omitempty"`

	// Gaps between two polls, in microseconds.
	P9999   float64 `json:"p99_99_us,omitempty"`
	P999999 float64 `json:"p99_9999_us,omitempty"`
	Max     float64 `json:"max_us,omitempty"`
	SpinP99 float64 `json:"spin_p99_99_us,omitempty"`
	SpinP9  float64 `json:"spin_p99_9999_us,omitempty"`
	SpinMax float64 `json:"spin_max_us,omitempty"`
	// What is behind them: how many there are, and how often the kernel took the
	// thread off its core, or the thread itself went to sleep.
	Polls        uint64 `json:"polls,omitempty"`
	Switches     int64  `json:"switches,omitempty"`
	Sleeps       int64  `json:"sleeps,omitempty"`
	SpinSwitches int64  `json:"spin_switches,omitempty"`

	Kept    float64 `json:"throughput_kept,omitempty"` // share of the throughput without churn
	Changes int     `json:"changes,omitempty"`
	Listed  int     `json:"flows_listed,omitempty"`

	*Machine
}

// Machine is the first line: where and what.
type Machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	Core       int    `json:"worker_core"`
	SecondCore int    `json:"second_core"`
	MainCore   int    `json:"main_core"`
	Kernel     string `json:"kernel"`
	DPDK       string `json:"dpdk"`
	Go         string `json:"go"`
	Commit     string `json:"commit"`
	Hugepages  bool   `json:"hugepages"`
	Quick      bool   `json:"quick"`
	Rounds     int    `json:"rounds"`
	RoundMS    int64  `json:"round_ms"`
	Date       string `json:"date"`
	Load       string `json:"load"` // averages of 1, 5 and 15 minutes at the start: others at work
}

// writeResults writes one JSON object a line.
func writeResults(path string, results []Result) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	for _, r := range results {
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("write results: %s: %w: report this", r.Case, err)
		}
	}
	return w.Flush()
}
