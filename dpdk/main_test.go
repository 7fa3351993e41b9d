package dpdk

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

// One EAL serves all tests of this binary: DPDK starts once per process. What
// needs another one runs in a child (child_test.go).
var (
	testEAL   *EAL
	startedAs = testConfig("test")
)

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(runChild(name))
	}
	os.Exit(withEAL(m))
}

func withEAL(m *testing.M) int {
	e, err := Init(startedAs)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	testEAL = e
	code := m.Run()
	if err := e.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if _, err := os.Stat(e.dir.path); !os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, "left behind:", e.dir.path, err)
		code = 1
	}
	return code
}

// testConfig puts two workers on the last core that the process may use.
func testConfig(name string) EALConfig {
	cores := usableCores()
	last := cores[len(cores)-1]
	return EALConfig{
		Prefix:   fmt.Sprintf("sluice-%s-%d", name, os.Getpid()),
		MainCore: cores[0], WorkerCores: []int{last, last},
		MemoryMB: 128,
	}
}

// usableCores are the CPUs that the process may use.
func usableCores() (cores []int) {
	set := affinity()
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			cores = append(cores, cpu)
		}
	}
	return cores
}

// onWorker runs fn on worker 0's lcore; fn returns what it found wrong, for it
// must not end its goroutine.
func onWorker(t testing.TB, fn func() error) {
	t.Helper()
	var found error
	require.NoError(t, <-testEAL.Run(0, func() { found = fn() }))
	require.NoError(t, found)
}

// newPool makes a pool that must be whole again at the end of the test.
func newPool(t testing.TB, n int) *Pool {
	t.Helper()
	p, err := NewPool(uniqueName("p"), n, 2048, 32, -1)
	require.NoError(t, err)
	t.Cleanup(func() {
		noneTwice(t, p)
		require.NoError(t, p.Close())
	})
	return p
}

// noneTwice takes all buffers out: one that was freed twice would come out
// twice, which InUse cannot tell.
func noneTwice(t testing.TB, p *Pool) {
	seen := map[*packet.Buf]bool{}
	for b := p.Alloc(); b != nil; b = p.Alloc() {
		require.False(t, seen[b], "a buffer was freed twice")
		seen[b] = true
	}
	var burst packet.Burst
	for b := range seen {
		burst[0] = b
		p.Free(&burst, 1)
	}
}

// attach attaches until the end of the test. The pool is closed after it.
func attach(t testing.TB, c PortConfig) *Port {
	t.Helper()
	p, err := Attach(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

var names int

func uniqueName(prefix string) string {
	names++
	return fmt.Sprintf("%s%d", prefix, names)
}
