//go:build go1.26 && !go1.27

package thread

import _ "unsafe" // for go:linkname

// pinned says whether Hold does anything.
const pinned = true

// For how long Breathe waits, in times of pause: for the collector about 20 us; for the
// world to go on, which takes less than a millisecond, no more than some 50 ms, so that
// a mistake about Go's insides shows as a stall, not as a worker that hangs.
const (
	dwell   = 400
	patient = 1000000
)

// Hold keeps the goroutine on its processor until Release. Both nest.
func Hold() { procPin() }

// Release ends Hold.
func Release() { procUnpin() }

// Breathe releases for the time of a system call, of which Go's runtime is told:
// whoever wants to stop the world does it here. The goroutine is not asked to yield
// on the way, because no stack check comes between: they are where Go asks.
func Breathe() {
	procUnpin()
	breathe()
	procPin()
}

// breathe is a system call as far as Go's runtime knows.
//
//   - While the world is stopped it does not return. It needs a processor for that, and
//     a goroutine that finds none idle sleeps until another thread brings it one, long
//     after the world goes on. Then there is an idle one, see dpdk.SetProcessors.
//   - During a collection it takes so long that the collector, which tries again and
//     again, finds it there to scan its stack. It keeps a CPU busy until it has.
//
//go:norace
//go:nosplit
func breathe() {
	entersyscall()
	for turn := 0; turn < patient && stopping() || turn < dwell && marking(); turn++ {
		pause()
	}
	exitsyscall()
}

// stopping says whether the world is stopped or someone is about to stop it.
func stopping() bool

// marking says whether a collection marks what is in use.
func marking() bool

// pause tells the CPU that this is a loop that waits.
func pause()

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()

//go:linkname entersyscall runtime.entersyscall
func entersyscall()

//go:linkname exitsyscall runtime.exitsyscall
func exitsyscall()
