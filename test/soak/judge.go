package main

import (
	"fmt"
	"slices"
	"strings"
)

// row is one thing that the daemon holds, at the beginning and at the end.
type row struct {
	name       string
	begin, end string
	allowed    string // more at the end than at the beginning
	leaked     bool
	detail     string // of texts: lines that differ
}

// rule says how far a number may grow.
type rule struct {
	name string
	more float64 // at the end than at the beginning
	zero bool    // at both moments, too
	same bool    // fewer at the end is wrong, too: a buffer given back twice
}

// rules are all numbers. Those with an allowance:
//
//   - live heap: maps and slices that have grown for many services, flows' readers
//     and neighbors stay as large as they were once (their buckets, not what was in
//     them). An object lost with each change would be many times as much.
//   - resident memory: pages of the heap that Go keeps for later, and stacks.
//   - threads: Go starts one when all others are in system calls, and keeps it.
var rules = []rule{
	{name: "packet buffers in use", same: true},
	{name: "flows", zero: true},
	{name: "IPv6 flows", zero: true},
	{name: "flows listed", zero: true},
	{name: "flows on backends", zero: true},
	{name: "local ports in use", zero: true},
	{name: "services", same: true},
	{name: "backends", same: true},
	{name: "removed backends", zero: true},
	{name: "file descriptors"},
	{name: "goroutines"},
	{name: "threads", more: 6},
	{name: "live heap, bytes", more: 512 << 10},
	{name: "resident memory, kB", more: 16 << 10},
}

// compare judges the end by the beginning.
func compare(begin, end *state) (rows []row) {
	all := slices.Clone(rules)
	for name := range end.numbers {
		if strings.HasPrefix(name, "packets uncounted") {
			all = append(all, rule{name: name, zero: true})
		}
	}
	slices.SortStableFunc(all[len(rules):], func(a, b rule) int { return strings.Compare(a.name, b.name) })
	for _, r := range all {
		rows = append(rows, r.judge(begin.numbers, end.numbers))
	}
	for _, name := range []string{"services", "file descriptors", "kernel state", "managed neighbors", "queueing"} {
		rows = append(rows, same(name, begin.texts[name], end.texts[name]))
	}
	return rows
}

// judge compares one number. One that was not noted is a failure, too.
func (r rule) judge(begin, end map[string]float64) row {
	b, noted := begin[r.name]
	e, again := end[r.name]
	out := row{name: r.name, begin: fmt.Sprintf("%.0f", b), end: fmt.Sprintf("%.0f", e), allowed: fmt.Sprintf("+%.0f", r.more)}
	out.leaked = !noted || !again || e > b+r.more || e < b && r.same
	if r.zero {
		out.allowed, out.leaked = "0", out.leaked || b != 0 || e != 0
	}
	return out
}

// same compares texts line by line.
func same(name, begin, end string) row {
	before, after := strings.Split(begin, "\n"), strings.Split(end, "\n")
	out := row{name: name + ", in detail", begin: fmt.Sprintf("%d lines", len(before)), end: fmt.Sprintf("%d lines", len(after)), allowed: "same"}
	for _, line := range before {
		if !slices.Contains(after, line) {
			out.detail += "  - " + line + "\n"
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			out.detail += "  + " + line + "\n"
		}
	}
	out.leaked = begin != end
	return out
}

func table(rows []row) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-32s %14s %14s %10s  %s\n", "what", "begin", "end", "allowed", "verdict")
	for _, r := range rows {
		verdict := "ok"
		if r.leaked {
			verdict = "LEAKED"
		}
		fmt.Fprintf(&out, "%-32s %14s %14s %10s  %s\n%s", r.name, r.begin, r.end, r.allowed, verdict, r.detail)
	}
	return out.String()
}

// leaks is an error that names what leaked.
func leaks(rows []row) error {
	var names []string
	for _, r := range rows {
		if r.leaked {
			names = append(names, fmt.Sprintf("%s (%s, then %s)", r.name, r.begin, r.end))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("not at the end what it was at the beginning: %s", strings.Join(names, "; "))
}
