package dpdk

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/yerden/go-dpdk/eal"
	"golang.org/x/sys/unix"
)

func affinity() (set unix.CPUSet) {
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		panic(err)
	}
	return set
}

func TestRunIsOnThePinnedLcore(t *testing.T) {
	want := startedAs.WorkerCores
	for worker, core := range want {
		var lcore uint
		var cpus unix.CPUSet
		require.NoError(t, <-testEAL.Run(worker, func() { lcore, cpus = eal.LcoreID(), affinity() }))
		assert.Equal(t, uint(lcoreOf(worker)), lcore)
		assert.Equal(t, 1, cpus.Count())
		assert.True(t, cpus.IsSet(core))
	}
}

// Every thread but the lcores' keeps off the workers' core, also those that Go
// makes later, when goroutines block in system calls.
func TestOtherThreadsKeepOffTheWorkers(t *testing.T) {
	lcores := map[int]bool{}
	for id := range 1 + testEAL.Workers() {
		require.NoError(t, eal.ExecOnLcore(uint(id), func(*eal.LcoreCtx) { lcores[unix.Gettid()] = true }))
	}
	require.Len(t, lcores, 3)
	blockThreads(t, 30)
	want := housekeeping(testEAL.before, startedAs.WorkerCores, startedAs.Others)
	var tasks []os.DirEntry
	require.Eventually(t, func() bool {
		var err error
		tasks, err = os.ReadDir("/proc/self/task")
		return err == nil && len(tasks) > 30
	}, 30*time.Second, time.Millisecond)
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		require.NoError(t, err)
		var cpus unix.CPUSet
		if err := unix.SchedGetaffinity(tid, &cpus); err != nil || lcores[tid] {
			continue
		}
		assert.Equal(t, want, cpus, "thread %d", tid)
	}
	assert.GreaterOrEqual(t, runtime.GOMAXPROCS(0), testEAL.Workers()+want.Count())
}

// blockThreads makes Go start n threads, from a worker's goroutine too.
func blockThreads(t *testing.T, n int) {
	var pipe [2]int
	require.NoError(t, unix.Pipe(pipe[:]))
	started := make(chan struct{})
	block := func() {
		started <- struct{}{}
		_, _ = unix.Read(pipe[0], make([]byte, 1))
	}
	onWorker(t, func() error {
		for range n {
			go block()
		}
		return nil
	})
	for range n {
		<-started
	}
	t.Cleanup(func() {
		_ = unix.Close(pipe[1]) // ends the reads
		_ = unix.Close(pipe[0])
	})
}

func TestRunReportsAPanic(t *testing.T) {
	cause := errors.New("boom")
	err := <-testEAL.Run(1, func() { panicDeep(cause) })
	var p *PanicError
	require.ErrorAs(t, err, &p)
	assert.Equal(t, 1, p.Worker)
	assert.ErrorIs(t, err, cause)
	assert.Contains(t, string(p.Stack), "panicDeep")
	assert.NoError(t, <-testEAL.Run(1, func() {}), "the lcore lives on")

	var nilMap map[int]int
	err = <-testEAL.Run(1, func() { nilMap[1] = 1 })
	require.ErrorAs(t, err, &p)
	assert.ErrorContains(t, err, "nil map")
}

//go:noinline
func panicDeep(v any) { panic(v) }

func TestRunRefusesABusyOrMissingWorker(t *testing.T) {
	release := make(chan struct{})
	first := testEAL.Run(0, func() { <-release })
	assert.ErrorContains(t, <-testEAL.Run(0, func() {}), "runs already")
	assert.ErrorContains(t, testEAL.Close(), "still runs")
	close(release)
	assert.NoError(t, <-first)
	assert.ErrorContains(t, <-testEAL.Run(2, func() {}), "workers 0 to 1")
	assert.ErrorContains(t, <-testEAL.Run(-1, func() {}), "workers 0 to 1")
}

func TestSecondInitIsAnError(t *testing.T) {
	_, err := Init(testConfig("second"))
	assert.ErrorContains(t, err, "once per process")
}

func TestVersion(t *testing.T) {
	assert.Regexp(t, `^DPDK \d+\.\d+`, Version())
	assert.False(t, testEAL.HasHugepages())
}
