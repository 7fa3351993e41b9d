package main

import (
	"fmt"
	"io"
)

// line is a result in words, as it comes.
func (r Result) line() string {
	out := fmt.Sprintf("%-36s", r.Case)
	switch {
	case r.P999999 > 0:
		out += fmt.Sprintf(" gap p99.99 %.1f, p99.9999 %.1f, max %.0f us; C loop %.1f, %.1f, %.0f", r.P9999, r.P999999, r.Max, r.SpinP99, r.SpinP9, r.SpinMax)
		out += fmt.Sprintf("; of %.1f M polls; off its core %d times, C loop %d; asleep %d times", float64(r.Polls)/1e6, r.Switches, r.SpinSwitches, r.Sleeps)
		if r.Kept > 0 {
			out += fmt.Sprintf("; throughput kept %.0f%%; %d changes, %d flows listed", 100*r.Kept, r.Changes, r.Listed)
		}
	case r.PerS > 0:
		out += fmt.Sprintf(" %6.2f M/s", r.PerS/1e6)
		if r.Timeout != "" {
			out += fmt.Sprintf("  %d flows held, %.2f ended for each that began, time-out %s", r.FlowsHeld, r.Expired, r.Timeout)
		}
		if r.Max > 0 {
			out += fmt.Sprintf("  poll p99.99 %.1f, max %.0f us", r.P9999, r.Max)
		}
	case r.Bytes > 0:
		out += fmt.Sprintf(" %6.1f bytes a flow", r.Bytes)
	case r.NS > 0:
		out += fmt.Sprintf(" %6.1f ns  %6.1f Mpps", r.NS, r.MPPS)
		if r.Handover > 0 {
			out += fmt.Sprintf("  hand-over %.1f ns of it, %.1f without", r.Handover, r.Direct)
		}
		if r.Lost > 0 {
			out += fmt.Sprintf("  %.2f%% lost", 100*r.Lost)
		}
		if r.Macswap > 0 {
			out += fmt.Sprintf("  (%.1f-%.1f)  macswap %5.1f ns  ratio %5.2f", r.Low, r.High, r.Macswap, r.Ratio)
		}
	default:
		out += fmt.Sprintf(" %6.1f ns", r.Macswap)
	}
	if r.Target > 0 {
		out += fmt.Sprintf("  target %s", r.judged())
	}
	return out
}

// judged is the target, and whether it is met.
func (r Result) judged() string {
	word := "missed"
	if r.met() {
		word = "met"
	}
	if r.PerS > 0 {
		return fmt.Sprintf("%.1f M/s: %s", r.Target/1e6, word)
	}
	return fmt.Sprintf("%.0f: %s", r.Target, word)
}

func (r Result) met() bool {
	switch {
	case r.PerS > 0:
		return r.PerS >= r.Target
	case r.Bytes > 0:
		return r.Bytes <= r.Target
	}
	return r.NS <= r.Target
}

// printTable prints all of it once more, together.
func printTable(w io.Writer, results []Result) {
	fmt.Fprintln(w)
	for _, r := range results {
		if r.Machine == nil {
			fmt.Fprintln(w, r.line())
		}
	}
}
