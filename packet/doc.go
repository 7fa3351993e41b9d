// Package packet is what everything else speaks: the packet buffer, the views
// on the headers inside it, the one gate that validates them (plain.go: plain
// IPv4, at fixed offsets; parse.go: everything), Internet
// checksums, outer headers of tunnels, the list of every way a packet can end,
// and the two interfaces (Port, Pool) behind which frames come from somewhere.
//
// Runs on: any thread; nothing here keeps state but Ring, which has one
// producer and one consumer. Touches: the bytes of the buffer it is given.
// Imports nothing else of Sluice, no cgo and no DPDK: a test can fake a Port.
package packet
