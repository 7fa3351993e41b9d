// Package modes rewrites packets: one file per working mode, plain functions
// that a switch in worker calls, and icmp.go for the errors the gateway itself
// answers with.
//
// Runs on: a worker, on frames that passed packet.Parse and whose TTL and size
// have been checked. Touches: the bytes of one frame, nothing else; the flow's
// entry is only read.
package modes
