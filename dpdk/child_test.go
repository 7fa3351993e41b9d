package dpdk

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

// What needs an EAL of its own runs in a copy of this test binary.
const (
	childEnv  = "SLUICE_DPDK_CHILD"  // which of children to run
	prefixEnv = "SLUICE_DPDK_PREFIX" // with which EAL prefix
)

var children = map[string]func(EALConfig) error{
	"life":      childLife,
	"hugepages": childHugepages,
	"refused":   childRefused,
	"wait":      childWait,
	"peer":      childPeer,
	"nobody":    childNobody,
}

func runChild(name string) int {
	c := startedAs
	c.Prefix = os.Getenv(prefixEnv)
	if err := children[name](c); err != nil {
		fmt.Println("child:", err)
		return 1
	}
	return 0
}

// childLife goes through all of it once.
func childLife(c EALConfig) error {
	e, err := Init(c)
	if err != nil {
		return err
	}
	if err := forward(e, "net_null0"); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return fmt.Errorf("closed twice: %w", err)
	}
	if _, err := Init(c); err == nil {
		return fmt.Errorf("a second Init after Close worked")
	}
	if got := affinity(); got != e.before {
		return fmt.Errorf("affinity is %v after Close, was %v", got, e.before)
	}
	return gone(e.dir.path)
}

// forward moves bursts on worker 0; the port is left for EAL.Close.
func forward(e *EAL, device string) error {
	pool, err := NewPool("p", 1023, 2048, 32, e.Socket(0))
	if err != nil {
		return err
	}
	p, err := Attach(PortConfig{Name: "n", Device: device, Pool: pool})
	if err != nil {
		return err
	}
	moved := 0
	err = <-e.Run(0, func() {
		var burst packet.Burst
		for range 100 {
			moved += p.Tx(0, &burst, p.Rx(0, &burst))
		}
	})
	if err == nil && (moved == 0 || pool.InUse() != 0) {
		err = fmt.Errorf("moved %d, in use %d", moved, pool.InUse())
	}
	return err
}

func gone(path string) error {
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		return fmt.Errorf("left behind: %s: %v", path, err)
	}
	return nil
}

func childHugepages(c EALConfig) error {
	c.Hugepages, c.MemoryMB = true, 64
	e, err := Init(c)
	if err != nil {
		return err
	}
	if !e.HasHugepages() {
		return fmt.Errorf("no hugepages in use")
	}
	if err := forward(e, "net_null0"); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	return gone(e.dir.path)
}

// childRefused gives DPDK an option that it does not know: an error, nothing
// on the terminal, nothing behind.
func childRefused(c EALConfig) error {
	c.Extra = []string{"--no-such-option"}
	_, err := Init(c)
	if err == nil || !strings.Contains(err.Error(), "--no-such-option") {
		return fmt.Errorf("error: %v", err)
	}
	return gone(filepath.Join(runtimeBase(), c.Prefix))
}

// childWait runs until it is killed.
func childWait(c EALConfig) error {
	e, err := Init(c)
	if err != nil {
		return err
	}
	fmt.Println("ready", e.dir.path)
	select {}
}

// childNobody has no rights: EAL runs, devices say what they need.
func childNobody(c EALConfig) error {
	e, err := Init(c)
	if err != nil {
		return err
	}
	pool, err := NewPool("p", 1023, 2048, 32, e.Socket(0))
	if err != nil {
		return err
	}
	for device, want := range map[string]string{
		"net_af_packet0,iface=lo":                              "CAP_NET_RAW",
		"net_af_xdp0,iface=lo":                                 "CAP_NET_RAW",
		"net_tap0,iface=slnobody":                              "CAP_NET_ADMIN",
		"net_vhost0,iface=/nosuch/v":                           "mkdir",
		"net_bonding0,mode=1,member=(net_af_packet0,iface=lo)": "CAP_NET_RAW",
	} {
		_, err := Attach(PortConfig{Name: "p", Device: device, Pool: pool})
		if err == nil || !strings.Contains(err.Error(), want) {
			return fmt.Errorf("%s: no %s in: %v", device, want, err)
		}
	}
	return e.Close()
}

func child(t *testing.T, name, prefix string) *exec.Cmd {
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+name, prefixEnv+"="+prefix)
	return cmd
}

func childPrefix(name string) string { return fmt.Sprintf("sluice-%s-%d", name, os.Getpid()) }

// succeed runs a child that must end well and print nothing.
func succeed(t *testing.T, cmd *exec.Cmd) {
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err)
	assert.Empty(t, string(out))
}

func TestLifeOfAnEAL(t *testing.T) {
	succeed(t, child(t, "life", childPrefix("life")))
}

func TestRefusedArgumentsPrintNothing(t *testing.T) {
	succeed(t, child(t, "refused", childPrefix("refused")))
}

func TestWithoutRightsDevicesSayWhatTheyNeed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to give it up")
	}
	dir := t.TempDir() // of EAL, and of a copy of this program that anyone may run
	for d := dir; d != os.TempDir(); d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o777))
	}
	cmd := child(t, "nobody", childPrefix("nobody"))
	program, err := os.ReadFile(cmd.Path)
	require.NoError(t, err)
	cmd.Path = filepath.Join(dir, "test")
	require.NoError(t, os.WriteFile(cmd.Path, program, 0o755))
	cmd.Env = append(cmd.Env, "XDG_RUNTIME_DIR="+dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	succeed(t, cmd)
}

func TestLifeOnHugepages(t *testing.T) {
	free := FreeHugepagesMB()
	if free < 64 {
		t.Skipf("needs 64 MiB of free hugepages, there are %d: sysctl -w vm.nr_hugepages=64", free)
	}
	succeed(t, child(t, "hugepages", childPrefix("huge")))
	assert.Eventually(t, func() bool { return FreeHugepagesMB() >= free }, 30*time.Second, 10*time.Millisecond,
		"all pages are back")
}

func TestSeveralProcessesAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() { succeed(t, child(t, "life", childPrefix(fmt.Sprint("many", i)))) })
	}
	wg.Wait()
}

// A prefix is taken while its process lives; what a killed one leaves is swept.
func TestPrefixOfAKilledProcessIsSwept(t *testing.T) {
	prefix := childPrefix("killed")
	cmd := child(t, "wait", prefix)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	path := strings.TrimSpace(strings.TrimPrefix(line, "ready "))
	require.DirExists(t, path)

	assert.ErrorContains(t, SweepStale(prefix), "running process")
	taken, err := child(t, "life", prefix).CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(taken), "choose another prefix")
	require.DirExists(t, path)

	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	require.DirExists(t, path, "nobody could remove it")
	require.NoError(t, SweepStale(prefix))
	assert.NoDirExists(t, path)
	assert.NoError(t, SweepStale(prefix), "nothing to do")
}

// Without a sweep, the next process of the same prefix starts all the same.
func TestPrefixOfAKilledProcessCanBeUsedAgain(t *testing.T) {
	prefix := childPrefix("again")
	path := filepath.Join(runtimeBase(), prefix)
	require.NoError(t, os.MkdirAll(filepath.Join(path, "left"), 0o700))
	succeed(t, child(t, "life", prefix))
	assert.NoDirExists(t, path)
}
