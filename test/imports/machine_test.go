package imports

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// machine finds what belongs to one machine or its network: home and work
// folders, hosts of package registries. Written so as not to find itself.
var machine = regexp.MustCompile(
	`(^|[^\w.\-/])/(wor` + `k|roo` + `t|hom` + `e)(/|$|[^\w\-])` +
		`|(proxy|sum)\.golan` + `g\.org|deb\.debia` + `n\.org|registry\.npmj` + `s\.org`)

func TestNoMachineInTrackedFiles(t *testing.T) {
	list := exec.Command("git", "-c", "safe.directory=*", "ls-files", "-z")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err, "git ls-files: run this in a clone")
	files := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	require.NotEmpty(t, files)
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(root, name))
		if os.IsNotExist(err) {
			continue // removed, not committed yet
		}
		require.NoError(t, err)
		for i, line := range strings.Split(string(content), "\n") {
			assert.False(t, machine.MatchString(line), "%s:%d: names a machine or a registry host: %s", name, i+1, line)
		}
	}
}

func TestMachineIsFound(t *testing.T) {
	for _, bad := range []string{"see /wo" + "rk/main", "cd /ro" + "ot", `"/ho` + `me/me"`, "GOPROXY=https://proxy." + "golang.org"} {
		assert.True(t, machine.MatchString(bad), bad)
	}
	for _, good := range []string{"$ROOT/work", "network/work/x", "/workers", "golang.org/x/sys", "a/root", "/v1/services"} {
		assert.False(t, machine.MatchString(good), good)
	}
}
