package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every configuration that we deliver is one that sluiced takes.
func TestDeliveredConfigurationsAreGood(t *testing.T) {
	needRoot(t) // without it, nothing is built
	files, err := filepath.Glob(filepath.Join(root, "deploy/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		out, err := exec.Command(program("sluiced"), "check", file).CombinedOutput()
		assert.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), ": good: ")
	}
}
