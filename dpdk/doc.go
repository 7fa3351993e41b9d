// Package dpdk is the one place that knows DPDK: it starts the EAL (DPDK's
// environment layer) on the cores it is given, makes buffer pools, attaches
// devices as ports, and moves bursts. Nothing else in Sluice imports "C" or
// go-dpdk; all C is in shim.c and shim_log.c behind shim.h.
//
// A process goes through it in this order, and back:
//
//  1. Init      threads on their cores, memory, /run/dpdk/<prefix>
//  2. NewPool   buffers
//  3. Attach    a device becomes a packet.Port
//  4. EAL.Run   a worker loop on its lcore: Rx and Tx, one crossing each
//  5. EAL.Close ports, threads, memory, files: nothing stays behind
//
// Runs on: Rx and Tx of queue q on the one worker that owns q; everything else
// on any thread, one call at a time (held by a lock). Touches: the affinity of
// all threads of the process (threads.go says why), C's stdout while Init runs,
// GOMAXPROCS.
package dpdk

// #cgo pkg-config: libdpdk
import "C"
