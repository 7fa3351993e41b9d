package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestModesDocumentShowsWhatIsCaptured: docs/modes.md is what `make docs` would
// write.
func TestModesDocumentShowsWhatIsCaptured(t *testing.T) {
	needRoot(t)
	t.Parallel()
	out, err := exec.Command(filepath.Join(root, "scripts/modes-doc.sh"), "--check").CombinedOutput()
	require.NoError(t, err, "%s", out)
}
