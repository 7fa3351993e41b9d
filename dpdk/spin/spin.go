// Package spin is an empty loop in C that watches the clock: what it misses of
// the time, the machine took from everybody. The benchmark sets it beside a
// worker's gaps.
//
// Runs on: the caller's thread, which it does not leave until it is done.
package spin

// #include <stdint.h>
// void sluice_spin(uint64_t ns, uint64_t turn, uint64_t *counts, unsigned classes, uint64_t *max);
// #cgo noescape sluice_spin
// #cgo nocallback sluice_spin
import "C"

import (
	"time"

	"github.com/sluice-lb/sluice/worker/gap"
)

// Run reads the clock again and again for a time. A turn of the loop ends at the
// first reading that is at least turn after the last turn's end: 0 makes every
// reading one, the length of a worker's poll gives as many gaps a second as the
// worker has, so that the same quantile is as rare an event. It counts the gaps
// from end to end by the classes that a worker uses, and also returns the longest.
func Run(duration, turn time.Duration) (*[gap.Classes]uint64, time.Duration) {
	var longest C.uint64_t
	counts := new([gap.Classes]uint64)
	C.sluice_spin(C.uint64_t(duration), C.uint64_t(turn), (*C.uint64_t)(&counts[0]), gap.Classes, &longest)
	return counts, time.Duration(longest)
}
