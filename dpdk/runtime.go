package dpdk

import (
	"os"
	"runtime"
	"runtime/debug"
)

// What Go's runtime does to a worker: docs/decisions/stalls.md.
const (
	spareProcessors = 2     // of Go's, beyond one per worker and housekeeping CPU
	gcPercent       = 12800 // in place of Go's 100, at which it collects from 4 MB on: from 512
	leastMemoryMB   = 256   // of the soft limit that bounds what gcPercent lets grow
	mostMemoryMB    = 2048
)

// SetProcessors sets GOMAXPROCS for a number of spinning workers and CPUs for
// everything else, unless it is higher; a worker that loses its processor to the
// scheduler, or when the world is stopped, then finds another at once.
func SetProcessors(workers, others int) {
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), workers+others+spareProcessors))
}

// collectRarely makes collections rare, for each stops the workers, twice. Memory
// stays bounded: near memoryLimit Go collects as often as it must. GOGC and
// GOMEMLIMIT come first.
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
	debug.SetMemoryLimit(memoryLimit(mb))
	return nil
}

// memoryLimit is a quarter of the available MB, within bounds, in bytes. Flow tables and
// packet buffers are not in it: Go knows nothing of them.
func memoryLimit(available int) int64 {
	return int64(min(max(available/4, leastMemoryMB), mostMemoryMB)) << 20
}
