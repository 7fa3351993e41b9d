// Package thread keeps a polling thread to itself, against Go's scheduler.
//
// The scheduler may take the processor (P) of a goroutine whenever it is in a C
// call, and asks every goroutine that has run for 10 ms to yield. To get a processor
// back, a goroutine that is locked to its thread waits for another thread to find
// it, which has to be scheduled by the kernel, on cores that others keep busy: up
// to milliseconds, where a worker's poll takes microseconds. So a worker
//
//   - calls C with Call, which does not tell the scheduler. What it calls must not
//     block, nor call Go;
//   - polls between Hold and Release: the goroutine is not asked to yield there;
//   - calls Breathe every so often: only then the collector, and whatever else stops
//     the world, gets at the goroutine, and has to wait until then. Breathe returns
//     when the world goes on.
//
// Between Hold and Release a goroutine must not block: not on a channel, a lock, a
// system call, nor in cgo. Go's runtime ends the process if it does; a panic is
// reported as "panic holding locks", with its value and the stack, and cannot be
// recovered. docs/decisions/stalls.md says what was measured.
//
// Runs on: any thread. Elsewhere than on amd64 Call is an ordinary cgo call and
// Hold does nothing, nor does it with another Go than 1.26, whose insides it looks at.
package thread
