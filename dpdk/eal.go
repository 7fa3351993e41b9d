package dpdk

// #include "shim.h"
import "C"

import (
	"errors"
	"io"
	"log"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/yerden/go-dpdk/eal"
	"golang.org/x/sys/unix"
)

// EAL is DPDK running in this process. There is at most one, once.
type EAL struct {
	dir    *runDir
	before unix.CPUSet // what the process could use before Init
	busy   []atomic.Bool
}

// process is the state that DPDK itself keeps once per process. Its lock also
// makes attaching, closing and pools one at a time, which DPDK demands.
var process struct {
	sync.Mutex
	tried bool // rte_eal_init was called: it cannot be called again
	up    bool
	ports []*Port // by index; nil: free

	keepMemory bool // something of DPDK's still reads its memory: memif.go
}

// Version is DPDK's, e.g. "DPDK 22.11.11".
func Version() string { return C.GoString(C.sluice_version()) }

// Init starts the EAL: one thread per worker, pinned, waiting for Run. All
// other threads of the process are moved to the housekeeping CPUs: c.Others, or
// those that it could use before, less the workers' cores unless none is left. GOMAXPROCS
// is raised so that spinning workers do not starve the rest, and collections are made
// rare, unless GOGC says otherwise.
//
// A configuration that Init refuses by itself can be corrected and tried again;
// once DPDK has seen it, a second Init in the same process is an error, also
// after Close.
func Init(c EALConfig) (*EAL, error) {
	process.Lock()
	defer process.Unlock()
	if process.tried {
		return nil, failure("start EAL", c.Prefix, because("DPDK starts once per process"), "restart the process")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	e := &EAL{busy: make([]atomic.Bool, len(c.WorkerCores))}
	if err := unix.SchedGetaffinity(0, &e.before); err != nil {
		return nil, failure("start EAL", "sched_getaffinity", err, "allow this system call")
	}
	dir, err := lockRunDir(c.Prefix)
	if err != nil {
		return nil, err
	}
	e.dir = dir
	if err := e.start(c); err != nil {
		return nil, errors.Join(err, dir.remove())
	}
	process.up = true
	return e, nil
}

// start calls rte_eal_init and puts every thread in its place.
func (e *EAL) start(c EALConfig) error {
	process.tried = true
	if err := startQuietly(c.args()); err != nil {
		return failure("start EAL", strings.Join(c.args()[1:], " "), err, "correct the EAL part of the configuration")
	}
	lcores, err := lockLcores(1 + len(c.WorkerCores))
	if err != nil {
		return err
	}
	cpus := housekeeping(e.before, c.WorkerCores, c.Others)
	// Go would otherwise follow the affinity that moveOthers sets and leave
	// the workers and the control plane one processor together.
	SetProcessors(len(c.WorkerCores), cpus.Count())
	if err := collectRarely(); err != nil {
		return err
	}
	if err := moveOthers(lcores, cpus); err != nil {
		return failure("move threads off the workers' cores", c.lcores(), err, "allow sched_setaffinity")
	}
	return nil
}

// startQuietly keeps go-dpdk's and EAL's messages off the terminal. Those that
// matter end in the error or, as warnings, in slog.
func startQuietly(args []string) error {
	if err := result(C.sluice_log_open()); err != nil {
		return err
	}
	if err := result(C.sluice_stdio_take()); err != nil {
		return err
	}
	defer C.sluice_stdio_restore()
	was := log.Writer()
	log.SetOutput(io.Discard)
	var err error
	lines := withLog(func() { _, err = eal.Init(args) })
	log.SetOutput(was)
	if err != nil {
		return explain(err, lines)
	}
	for _, line := range lines {
		if !strings.Contains(line, "hugepages reported on node") { // per page size; checkMemory looked at the sum
			slog.Warn("DPDK: " + line)
		}
	}
	return nil
}

// HasHugepages says whether DPDK's memory is on hugepages.
func (e *EAL) HasHugepages() bool { return C.sluice_has_hugepages() != 0 }

// Workers is how many workers there are.
func (e *EAL) Workers() int { return len(e.busy) }

// Socket is the NUMA node of a worker's core.
func (e *EAL) Socket(worker int) int { return int(eal.LcoreToSocket(uint(lcoreOf(worker)))) }

// Close detaches the ports that are left, ends the loops of the workers'
// threads, unmaps DPDK's memory (after a net_memif server: leaves it to the end
// of the process) and removes its files. Buffers and pools must not be touched
// any more. DPDK keeps some hugepages until the process ends. It refuses, and
// changes nothing, while a worker runs.
func (e *EAL) Close() error {
	for i := range e.busy {
		if e.busy[i].Load() {
			return failure("stop EAL", i, because("the worker still runs"), "end its function first")
		}
	}
	process.Lock()
	defer process.Unlock()
	if !process.up {
		return nil
	}
	process.up = false
	var errs []error
	for _, p := range process.ports {
		if p != nil {
			errs = append(errs, p.close())
		}
	}
	eal.StopLcores()
	if !process.keepMemory {
		errs = append(errs, e.cleanUp())
	}
	errs = append(errs, moveOthers(nil, e.before), e.dir.remove())
	return errors.Join(errs...)
}

// cleanUp unmaps DPDK's memory.
func (e *EAL) cleanUp() error {
	var err error
	lines := withLog(func() { err = eal.Cleanup() })
	if err != nil {
		return failure("stop EAL", e.dir.path, explain(err, lines), "restart the process")
	}
	return nil
}
