// Package spin is an empty loop in C that watches the clock: what it misses of
// the time, the machine took from everybody. The benchmark sets it beside a
// worker's gaps.
//
// Runs on: the caller's thread, which it does not leave until it is done.
package spin

// #include <stdint.h>
// void sluice_spin(uint64_t ns, uint64_t *counts, unsigned classes, uint64_t *max);
// #cgo noescape sluice_spin
// #cgo nocallback sluice_spin
import "C"

import (
	"time"

	"github.com/sluice-lb/sluice/worker/gap"
)

// Run reads the clock again and again for a time, and counts the gaps between
// two readings by the classes that a worker uses. It also returns the longest.
func Run(duration time.Duration) (*[gap.Classes]uint64, time.Duration) {
	var longest C.uint64_t
	counts := new([gap.Classes]uint64)
	C.sluice_spin(C.uint64_t(duration), (*C.uint64_t)(&counts[0]), gap.Classes, &longest)
	return counts, time.Duration(longest)
}
