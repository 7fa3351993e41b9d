// Command bench measures the production worker on net_ring, beside DPDK's own
// dpdk-testpmd on the same core in the same run. `make bench` starts it.
//
//	machine.go   EAL, buffers, the port; what the machine is
//	rig.go       one worker and what drives it, a chunk of frames at a time
//	hits.go      packets of flows that are there
//	fresh.go     packets that open flows, flood, fill
//	pcap.go      the same on net_pcap
//	handover.go  two workers: packets at the wrong one
//	workers.go   two workers on two cores
//	gaps.go      time between two polls while the control plane works: churn.go
//	gapcounts.go their histogram
//	testpmd.go   the measure that all is set against
//	cases.go     what is run: quick and full; steps.go: in what order
//	result.go    build/bench.json; table.go, chart.go, page.go: for people
//
// Runs on: the worker's EAL lcore for all that is timed, which is Poll and
// nothing else; the control plane's part on the other core.
package main
