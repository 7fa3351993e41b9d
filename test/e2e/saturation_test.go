package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// A port from which more comes than anybody can take (net_null makes frames out
// of nothing): the daemon says that the worker does not keep up, since when, and
// because of which port, while the other port still works.
func TestSaturatedWorkerIsNamed(t *testing.T) {
	l := newLab(t)
	config := port("mtu", 1500)
	config["ports"] = append(config["ports"].([]any), map[string]any{"name": "flood", "device": "net_null0", "twin": "sl-flood"})
	d := l.launch(setup{Config: config})
	var status api.Status
	eventually(t, "a saturated worker", func() (saturated bool) {
		var err error
		status, err = d.Status(ctx)
		return err == nil && len(status.Saturated) == 1
	})
	assert.Zero(t, status.Saturated[0].Worker)
	assert.True(t, status.Saturated[0].Since.After(status.Started))
	assert.True(t, status.Saturated[0].Since.Before(time.Now()))
	assert.GreaterOrEqual(t, status.Busy[0], 0.9)

	workers, err := d.Workers(ctx)
	require.NoError(t, err)
	w := workers[0]
	require.NotNil(t, w.SaturatedSince)
	require.Len(t, w.Ports, 2)
	lan, flood := w.Ports[0], w.Ports[1]
	assert.Equal(t, "flood", flood.Port)
	assert.Equal(t, 1.0, flood.Full)
	assert.Equal(t, 64.0, flood.Fill)
	assert.Equal(t, flood.Bursts, flood.FullBursts)
	assert.Equal(t, 64*flood.Bursts, flood.Packets)
	assert.Less(t, lan.Packets, flood.Packets)

	l.run("gw", "ping", "-c", "1", "-W", "10", l.addr("rs1").String())
	assert.Regexp(t, `(?m)^saturated +worker 0 since `, d.does("status"))
	assert.Regexp(t, `(?m)^ +0 +flood .* 64\.0 +100\.0% `, d.does("workers"))
	assert.Contains(t, l.run("gw", "curl", "-sSf", "http://127.0.0.1:9105/metrics"), "\nsluice_worker_saturated{worker=\"0\"} 1\n")

	require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
	<-d.ended
	assert.Zero(t, d.cmd.ProcessState.ExitCode())
	assert.Equal(t, d.before, l.fingerprint(), "what the daemon leaves behind")
	text, err := os.ReadFile(d.log)
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(string(text), "worker does not keep up"))
}
