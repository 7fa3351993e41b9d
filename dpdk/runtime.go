package dpdk

import (
	"os"
	"runtime"
	"runtime/debug"
)

// What Go's runtime does to a worker: docs/decisions/stalls.md.
const (
	spareProcessors = 1   // of Go's, beyond one per worker and housekeeping CPU
	gcPercent       = 800 // in place of Go's 100
	leastMemoryMB   = 256 // of the soft limit that bounds what gcPercent lets grow
)

// SetProcessors sets GOMAXPROCS for a number of spinning workers and CPUs for
// everything else, unless it is higher; a worker that loses its processor to the
// scheduler during a C call then finds another at once.
func SetProcessors(workers, others int) {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), workers+others+spareProcessors))
}

// collectRarely makes collections rare, for each stops the workers, twice. Memory
// stays bounded: near a quarter of what is available, Go collects as often as it
// must. GOGC and GOMEMLIMIT come first.
func collectRarely() error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return nil
	}
	mb, err := availableMB()
	if err != nil {
		return failure("set Go's memory limit", "/proc/meminfo", err, "set GOMEMLIMIT")
	}
	debug.SetMemoryLimit(int64(max(mb/4, leastMemoryMB)) << 20)
	return nil
}
