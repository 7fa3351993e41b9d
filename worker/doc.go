// Package worker is the fast path: one poll loop per core.
//
// A packet takes one walk, and every step is a loop over the whole burst, in a
// file of its own:
//
//	receive.go   frames of one port
//	parse.go     validate once; hand to the kernel what is not TCP or UDP; hash
//	             tuples (parse_amd64.s: both, for plain IPv4; parse6.go: for
//	             plain IPv6)
//	lookup.go    where flows may be, memory latencies overlapped
//	plain.go     plain packets of known flows: all that rewrite and transmit do, in one
//	             loop a family (plain4.go, plain6.go) and one for tunnels (plaintun.go)
//	lookup.go    all others: into slots, find their flows
//	miss.go      no flow: whose packet is it?
//	openings.go  new flows of the burst: schedule each, then enter all into the table
//	rewrite.go   next hop, TTL, size, the mode's rewrite, counters
//	transmit.go  out, to the kernel, or back to the pool; verdicts are counted
//
// Between bursts the worker sends what the kernel generated (kernel.go), takes
// over packets from other workers (owner.go), expires flows (expire.go),
// serves its mailbox (mailbox.go), and publishes counters (stats.go) and how
// busy it is (saturation.go), each in bounded slices.
//
// Runs on: the worker's own EAL lcore, locked to its thread. Owns: its flow
// table, counters and transmit queue. Reads: the snapshot. Nothing here
// allocates, locks or makes a system call per packet; control-plane goroutines
// call only what is documented as safe for them (Stats, Mailbox).
package worker
