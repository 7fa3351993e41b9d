package server_test

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/server"
)

func TestListenLeavesNothingBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run", "sluice")
	path := filepath.Join(dir, "control.sock")
	ln, err := server.Listen(path, 0o660, "")
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|0o660, info.Mode())
	info, err = os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.ModeDir|0o750, info.Mode())

	require.NoError(t, ln.Close())
	require.NoError(t, ln.Close(), "a second Close, as http.Server does, must be harmless")
	require.NoDirExists(t, dir)
}

func TestListenKeepsForeignDirectory(t *testing.T) {
	dir := t.TempDir()
	ln, err := server.Listen(filepath.Join(dir, "control.sock"), 0o600, "")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestListenGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	_, err := server.Listen(path, 0o660, "no-such-group-of-sluice")
	require.ErrorContains(t, err, "groupadd")
	ln, err := server.Listen(path, 0o660, strconv.Itoa(os.Getgid()))
	require.NoError(t, err)
	require.NoError(t, ln.Close())
}

func TestListenLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	ln, err := server.Listen(path, 0o660, "")
	require.NoError(t, err)
	defer ln.Close()
	_, err = server.Listen(path, 0o660, "")
	require.ErrorContains(t, err, "another sluiced answers on "+path)
	require.ErrorContains(t, err, "pid "+strconv.Itoa(os.Getpid()))
	conn, err := net.Dial("unix", path)
	require.NoError(t, err, "the attempt must not have hurt the first")
	conn.Close()
}

// TestListenLiveWithoutLock: somebody answers who does not hold our lock.
func TestListenLiveWithoutLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	other, err := net.Listen("unix", path)
	require.NoError(t, err)
	defer other.Close()
	_, err = server.Listen(path, 0o660, "")
	require.ErrorContains(t, err, "another sluiced answers on "+path)
	require.FileExists(t, path)
	require.NoFileExists(t, path+".lock")
}

// TestListenStale: a daemon that was killed left socket, lock and directory.
func TestListenStale(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sluice")
	path := filepath.Join(dir, "control.sock")
	require.NoError(t, os.Mkdir(dir, 0o750))
	dead, err := net.Listen("unix", path)
	require.NoError(t, err)
	dead.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, dead.Close())
	require.NoError(t, os.WriteFile(path+".lock", []byte("1\ndirectory made by sluiced\n"), 0o600))

	ln, err := server.Listen(path, 0o660, "")
	require.NoError(t, err)
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	conn.Close()
	require.NoError(t, ln.Close())
	require.NoDirExists(t, dir)
}

func TestListenRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	require.NoError(t, os.WriteFile(path, []byte("precious"), 0o600))
	_, err := server.Listen(path, 0o660, "")
	require.ErrorContains(t, err, "something else is there")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "precious", string(text))
}

// TestListenRace: many start and stop at once; never do two hold the socket.
func TestListenRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sluice", "control.sock")
	var held, wins atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				ln, err := server.Listen(path, 0o660, "")
				if err != nil {
					continue
				}
				if n := held.Add(1); n != 1 {
					t.Errorf("%d hold the socket", n)
				}
				wins.Add(1)
				held.Add(-1)
				ln.Close()
			}
		})
	}
	all.Wait()
	require.Positive(t, wins.Load())
	// The directory may stay: who made it may have lost the race for the lock.
	require.NoFileExists(t, path)
	require.NoFileExists(t, path+".lock")
}
