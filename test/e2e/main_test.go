package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the checkout; the tests run in its test/e2e.
var root = func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// TestMain builds what the tests run. The script waits for other builds and
// replaces programs in one step, so that it may run at any time.
func TestMain(m *testing.M) {
	if os.Geteuid() == 0 {
		build := exec.Command(filepath.Join(root, "scripts/build.sh"))
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// needRoot skips a test that cannot run; in CI it has to be able to.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	const why = "needs root: network namespaces, raw sockets and DPDK"
	if os.Getenv("CI") == "true" {
		t.Fatal(why + ", and nothing is skipped in CI")
	}
	t.Skip(why)
}

// program is one of those that were built.
func program(name string) string { return filepath.Join(root, "build", name) }
