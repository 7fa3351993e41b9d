package kernel

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The kernel sees the frames of all members of a bond: none of them answers while
// the port is ours, and all are as they were afterwards.
func TestAllDevicesUnderAPortAreSilenced(t *testing.T) {
	needNamespace(t)
	first, second := soundHost(t), newHost(t, "lan9", "10.9.0.2/24")
	require.NoError(t, addAddr("lan9", "10.9.0.1/24"))
	before, tablesBefore := takePicture(t, "lan9"), tables(t)
	require.NotZero(t, second.ping("10.9.0.1", long))

	port := portTo(t, "lan0")
	port.Devices = []string{"lan0", "lan9"}
	p := openPath(t, Config{StateFile: filepath.Join(t.TempDir(), "state")}, port)
	require.Empty(t, addressList(t, "lan9"))
	require.Len(t, tables(t), len(tablesBefore)+2)
	require.Zero(t, first.ping("10.1.0.1", short))
	require.Zero(t, second.ping("10.9.0.1", short))

	p.close()
	samePicture(t, before, "lan9")
	require.NotZero(t, second.ping("10.9.0.1", long))
}
