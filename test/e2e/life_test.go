package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTwentyStartsLeaveNothingBehind(t *testing.T) {
	l := newLab(t)
	for i := range 20 {
		d := l.start(setup{})
		mode := modes[i%len(modes)]
		server, err := l.get(d.add(mode, "tcp", "rs1"), "again")
		require.NoError(t, err)
		require.Equal(t, "rs1", server)
		d.stop()
	}
}

// fail runs a daemon that has to end by itself with an error, and returns what
// it says.
func (l *lab) fail(s setup) string {
	l.t.Helper()
	return failing(l.t, l.sluiced(s))
}

// failing runs a command that has to fail with exit status 1 and one message
// on standard error, and returns that.
func failing(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.Error(t, cmd.Run(), "has to end with an error")
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), &stderr)
	return stderr.String()
}

// A device's own addresses and routes are off it while the daemon runs, and
// come back: at its end, or, when it was killed, at the end of the next one.
func TestKilledDaemonIsCleanedUpByTheNext(t *testing.T) {
	l := newLab(t)
	l.run("gw", "ip", "address", "add", "192.0.2.1/24", "dev", "eth0")
	l.run("gw", "ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.254")
	first := l.start(setup{})
	key := first.add("fullnat", "tcp", "rs1", "rs2")
	_, err := l.get(key, "first")
	require.NoError(t, err)
	conn := l.dialTCP(key)
	first.kill()
	require.NotEqual(t, first.before, l.fingerprint(), "a killed daemon leaves something, or this test shows nothing")
	assert.NotContains(t, l.run("gw", "ip", "address"), "192.0.2.1")

	second := l.start(setup{})
	assert.Equal(t, map[string]int{"rs1": 5, "rs2": 5}, l.getMany(10, second.add("fullnat", "tcp", "rs1", "rs2"), "second"))
	assert.ErrorIs(t, talk(conn), syscall.ECONNRESET, "its flow is forgotten, and it learns so")
	second.before = first.before
	second.stop()
	assert.Contains(t, l.run("gw", "ip", "address"), "192.0.2.1/24")
	assert.Contains(t, l.run("gw", "ip", "route"), "198.51.100.0/24 via 192.0.2.254")
}

func TestSecondDaemonIsRefused(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	key := d.add("dr", "tcp", "rs1")
	for name, c := range map[string]struct {
		setup setup
		says  []string
	}{
		"same socket": {setup{}, []string{"another sluiced answers on", d.Socket, "pid ", "stop it, or set control.socket"}},
		"same run directory": {setup{Args: []string{"--metrics-listen=", "--control-socket", filepath.Join(l.dir, "other.sock")}},
			[]string{"sl-" + l.id, "a running process uses", "choose another prefix"}},
	} {
		t.Run(name, func(t *testing.T) {
			says := l.fail(c.setup)
			for _, part := range c.says {
				assert.Contains(t, says, part)
			}
			assert.Equal(t, 1, strings.Count(says, "\n"), "one message: %s", says)
			server, err := l.get(key, "on")
			require.NoError(t, err, "the first goes on")
			assert.Equal(t, "rs1", server)
		})
	}
	d.stop()
}

func TestTwoGatewaysForwardIndependently(t *testing.T) {
	l1, l2 := newLab(t), anotherLab(t)
	d1, d2 := l1.start(setup{}), l2.start(setup{})
	key1, key2 := d1.add("fullnat", "tcp", "rs1"), d2.add("fullnat", "tcp", "rs2") // the same address
	assert.Equal(t, key1, key2)
	both := append(l1.transfers(4, key1, "1m.bin"), l2.transfers(4, key2, "1m.bin")...)
	assert.Equal(t, map[string]int{"rs1": 10}, l1.getMany(10, key1, "one"))
	assert.Equal(t, map[string]int{"rs2": 10}, l2.getMany(10, key2, "two"))
	l1.finish(both)
	d1.stop()
	server, err := l2.get(key2, "after")
	require.NoError(t, err)
	assert.Equal(t, "rs2", server)
	d2.stop()
}
