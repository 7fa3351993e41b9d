package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.." // the module, seen from here

// goTool runs go in the module's folder.
func goTool(t *testing.T, env []string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "go %s: %s", strings.Join(args, " "), stderr.String())
	return out
}

// listPackages reads the module's packages as one build would see them.
func listPackages(t *testing.T, args ...string) []Package {
	t.Helper()
	out := goTool(t, nil, append([]string{"list", "-json=ImportPath,Doc,CgoFiles,Imports,TestImports,XTestImports"}, args...)...)
	var packages []Package
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else {
			require.NoError(t, err)
		}
		packages = append(packages, p)
	}
}

func module(t *testing.T) string {
	t.Helper()
	return strings.TrimSpace(string(goTool(t, nil, "list", "-m")))
}

// The race tag swaps files, so both builds are looked at.
func TestCheckoutKeepsRules(t *testing.T) {
	for _, args := range [][]string{{"./..."}, {"-tags=race", "./..."}} {
		packages := listPackages(t, args...)
		require.NotEmpty(t, packages)
		assert.Empty(t, Violations(module(t), packages), "go list %v", args)
	}
}

// Everything but dpdk, the daemon and the benchmark builds without cgo, so
// without DPDK.
func TestBuildsWithoutCgo(t *testing.T) {
	args := []string{"build", "-buildvcs=false", "-o", os.DevNull}
	for _, p := range listPackages(t, "./...") {
		if folder := strings.TrimPrefix(p.ImportPath, module(t)+"/"); !within(folder, "dpdk") && !within(folder, "cmd/sluiced") && folder != "test/bench" {
			args = append(args, p.ImportPath)
		}
	}
	goTool(t, []string{"CGO_ENABLED=0"}, args...)
}

// The checker itself: each kind of violation is found, and only those.
func TestViolationsAreFound(t *testing.T) {
	const m = "example.org/m"
	good := Package{ImportPath: m + "/flow", Doc: "Package flow.",
		Imports:      []string{"fmt", m + "/packet", m + "/flow/internal/x", "golang.org/x/sys/unix"},
		TestImports:  []string{m + "/test/conformance", "pgregory.net/rapid"},
		XTestImports: []string{m + "/flow"}}
	below := Package{ImportPath: m + "/ctl/server/servertest", Doc: "Package servertest.",
		Imports: []string{m + "/ctl/server", m + "/ctl/api"}}
	daemon := Package{ImportPath: m + "/cmd/sluiced", Doc: "Command.", Imports: []string{m + "/dpdk", m + "/worker"}}
	driver := Package{ImportPath: m + "/dpdk", Doc: "Package dpdk.", CgoFiles: []string{"port.go"},
		Imports: []string{"C", goDPDK + "/eal", m + "/packet"}}
	client := Package{ImportPath: m + "/ctl/client", Doc: "Package client.",
		Imports: []string{m + "/ctl/api"}, TestImports: []string{m + "/ctl/server/servertest"}}
	require.Empty(t, Violations(m, []Package{good, below, daemon, driver, client}))

	for name, c := range map[string]struct {
		change func(*Package)
		want   string
	}{
		"upwards":       {func(p *Package) { p.Imports = []string{m + "/worker"} }, "flow: imports " + m + "/worker"},
		"by its tests":  {func(p *Package) { p.TestImports = []string{m + "/dpdk"} }, "flow: imports " + m + "/dpdk"},
		"from outside":  {func(p *Package) { p.XTestImports = []string{m + "/sched"} }, "flow: imports " + m + "/sched"},
		"test help":     {func(p *Package) { p.Imports = []string{m + "/test/conformance"} }, "flow: imports " + m + "/test/conformance"},
		"real server":   {func(p *Package) { p.TestImports = []string{m + "/ctl/server"} }, "flow: imports " + m + "/ctl/server"},
		"C":             {func(p *Package) { p.Imports = []string{"C"} }, "flow: imports C"},
		"binding":       {func(p *Package) { p.Imports = []string{goDPDK + "/eal"} }, "flow: imports " + goDPDK},
		"cgo file":      {func(p *Package) { p.CgoFiles = []string{"x.go"} }, "flow: x.go: uses cgo"},
		"no comment":    {func(p *Package) { p.Doc = "" }, "flow: has no package comment"},
		"no rule":       {func(p *Package) { p.ImportPath = m + "/util" }, "util: has no rule"},
		"name alike":    {func(p *Package) { p.ImportPath = m + "/flows" }, "flows: has no rule"},
		"siblings":      {func(p *Package) { p.ImportPath, p.Imports = m+"/ctl/server", []string{m + "/ctl/build"} }, "ctl/server: imports"},
		"CLI in daemon": {func(p *Package) { p.ImportPath, p.Imports = m+"/cmd/sluicectl", []string{m + "/worker"} }, "cmd/sluicectl: imports"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := Package{ImportPath: good.ImportPath, Doc: good.Doc}
			c.change(&bad)
			found := Violations(m, []Package{bad})
			require.Len(t, found, 1)
			assert.Contains(t, found[0], c.want)
		})
	}
}
