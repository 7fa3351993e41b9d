package dpdk

import (
	"errors"
	"os"
	"runtime"
	"strconv"

	"github.com/yerden/go-dpdk/eal"
	"golang.org/x/sys/unix"
)

// Who runs where.
//
// A new thread inherits the CPU of the thread that makes it. Go makes threads
// whenever it needs one, from whichever thread notices; if that is a worker's,
// the new thread, and every goroutine that ever runs on it, sits on the
// worker's core. Go avoids this only for threads that are locked: it then lets
// a "template" thread make the new one. So:
//
//  1. each lcore's goroutine is locked to its thread once and for good;
//  2. then every other thread of the process, EAL's control threads included,
//     is moved to the housekeeping CPUs. What is made later is made by one of
//     these and inherits that.

// lockLcores does step 1 and returns the lcores' thread ids.
func lockLcores(lcores int) (map[int]bool, error) {
	tids := map[int]bool{}
	for id := range lcores {
		err := eal.ExecOnLcore(uint(id), func(*eal.LcoreCtx) {
			runtime.LockOSThread() // nests: go-dpdk's loop on this thread never unlocks it
			tids[unix.Gettid()] = true
		})
		if err != nil {
			return nil, failure("EAL thread", id, err, "report this: EAL did not start the thread it was asked for")
		}
	}
	return tids, nil
}

// moveOthers does step 2: all threads but those in keep run on cpus. It repeats
// until a pass finds nothing to do, for a thread that is not moved yet may make
// another meanwhile.
func moveOthers(keep map[int]bool, cpus unix.CPUSet) error {
	for moved := true; moved; {
		tids, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		moved = false
		for _, entry := range tids {
			tid, err := strconv.Atoi(entry.Name())
			if err != nil || keep[tid] {
				continue
			}
			did, err := moveThread(tid, cpus)
			if err != nil {
				return err
			}
			moved = moved || did
		}
	}
	return nil
}

// moveThread reports whether the thread was elsewhere. One that has ended
// meanwhile needs no moving.
func moveThread(tid int, cpus unix.CPUSet) (bool, error) {
	var now unix.CPUSet
	err := unix.SchedGetaffinity(tid, &now)
	if err == nil && now == cpus {
		return false, nil
	}
	if err == nil {
		err = unix.SchedSetaffinity(tid, &cpus)
	}
	if errors.Is(err, unix.ESRCH) {
		return false, nil
	}
	return err == nil, err
}

// housekeeping is what the configuration says, or what the process may use less
// the workers' cores; all of it when nothing would be left.
func housekeeping(before unix.CPUSet, workers, others []int) unix.CPUSet {
	var told unix.CPUSet
	for _, core := range others {
		told.Set(core)
	}
	if len(others) > 0 {
		return told
	}
	cpus := before
	for _, core := range workers {
		cpus.Clear(core)
	}
	if cpus.Count() == 0 {
		return before
	}
	return cpus
}
