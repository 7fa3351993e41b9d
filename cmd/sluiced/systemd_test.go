package main

import (
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// manager is a service manager's socket.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return &manager{t, conn}
}

// heard is the next message, "" when there is none.
func (m *manager) heard() string {
	require.NoError(m.t, m.conn.SetReadDeadline(time.Now().Add(10*time.Millisecond))) // sent already, or not at all
	b := make([]byte, 256)
	n, err := m.conn.Read(b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestNotify(t *testing.T) {
	m := newManager(t)
	notify(quiet, "READY=1")
	assert.Equal(t, "READY=1", m.heard())
	notify(quiet, reloading())
	assert.Regexp(t, regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]+$`), m.heard())
}

// A worker that stalls ends the life signs, until it goes on.
func TestWatchdogLooksAtEveryWorker(t *testing.T) {
	m := newManager(t)
	t.Setenv("WATCHDOG_USEC", "3000000")
	rounds := []uint64{5, 9}
	w := newWatchdog(quiet, []func() uint64{func() uint64 { return rounds[0] }, func() uint64 { return rounds[1] }})
	defer w.stop()
	assert.NotNil(t, w.due())
	w.look()
	assert.Equal(t, "WATCHDOG=1", m.heard())
	w.look()
	assert.Empty(t, m.heard(), "both stall")
	rounds[0]++
	w.look()
	assert.Empty(t, m.heard(), "one stalls")
	rounds[0]++
	rounds[1]++
	w.look()
	assert.Equal(t, "WATCHDOG=1", m.heard())
	rounds[0]++
	assert.Equal(t, []int{1}, w.stalled())
}

func TestNoWatchdog(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "")
	w := newWatchdog(quiet, nil)
	defer w.stop()
	assert.Nil(t, w.due())
}
