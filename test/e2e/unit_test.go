package e2e

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

// unit reads the systemd unit that we deliver.
func unit(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy/sluiced.service"))
	require.NoError(t, err)
	return string(text)
}

func TestSystemdUnitIsValid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sluiced.service")
	here := strings.ReplaceAll(unit(t), "/usr/bin/sluiced", program("sluiced"))
	require.NoError(t, os.WriteFile(file, []byte(here), 0o644))
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, string(out))
}

// TestCapabilitiesOfTheUnitSuffice runs the daemon as a user with exactly the
// capabilities that the unit gives it.
func TestCapabilitiesOfTheUnitSuffice(t *testing.T) {
	given := regexp.MustCompile(`(?m)^AmbientCapabilities=(.*)$`).FindStringSubmatch(unit(t))
	require.Len(t, given, 2)
	sets := "-all"
	for name := range strings.FieldsSeq(given[1]) {
		sets += ",+" + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
	}
	l := newLab(t)
	const nobody = 65534
	require.NoError(t, os.Chown(l.dir, nobody, nobody))
	d := l.start(setup{
		Wrap: []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs",
			"--inh-caps=" + sets, "--ambient-caps=" + sets, "--bounding-set=" + sets},
		Env: []string{"XDG_RUNTIME_DIR=" + l.dir},
	})
	for _, mode := range modes {
		key := d.add(mode, "tcp", "rs1", "rs2")
		assert.Equal(t, map[string]int{"rs1": 10, "rs2": 10}, l.getMany(20, key, "unit-"+mode))
	}
	d.stop()
}
