package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// listener is a Unix socket that owns its file and its lock.
type listener struct {
	net.Listener
	path   string
	lock   *lock
	once   sync.Once
	closed error
}

// Listen makes the control socket at path, readable and writable as mode says,
// for group (a name or a number; "" leaves the process's own):
//
//  1. The directory is created if it is missing, mode 0750.
//  2. The lock path+".lock" keeps a second daemon out while this one lives; the
//     kernel gives it back when the process dies, however it dies.
//  3. With the lock held, a socket that nobody answers on is a dead daemon's and
//     is removed. One that somebody answers on is an error, as is a file that is
//     no socket.
//
// Close removes the socket, the lock, and the directory if a daemon had to
// create it and it is empty.
func Listen(path string, mode fs.FileMode, group string) (net.Listener, error) {
	gid, err := groupID(group)
	if err != nil {
		return nil, err
	}
	l, err := acquire(path, gid)
	if err != nil {
		return nil, err
	}
	ln, err := listenLocked(path, mode, gid)
	if err != nil {
		l.release()
		return nil, err
	}
	return &listener{Listener: ln, path: path, lock: l}, nil
}

func listenLocked(path string, mode fs.FileMode, gid int) (net.Listener, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// Until owner and mode are right the socket is the process's alone: bind takes
	// the permissions of the unbound socket's own inode.
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), 0o600) }); e != nil {
			return e
		}
		return err
	}}
	ln, err := config.Listen(background, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %s: %w: set control.socket to a path where it can be made", path, reason(err))
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // Close does, under the lock
	if err = os.Chown(path, -1, gid); err == nil {
		err = os.Chmod(path, mode.Perm())
	}
	if err != nil {
		return nil, errors.Join(err, ln.Close(), os.Remove(path))
	}
	return ln, nil
}

// Close stops listening and removes what Listen made.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.closed = l.Listener.Close()
		if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.closed = errors.Join(l.closed, err)
		}
		l.lock.release()
	})
	return l.closed
}

// removeStale removes the socket of a dead daemon.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("control socket: %s: something else is there: remove it, or set control.socket to another path", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return alive(path, "")
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("control socket: %s: cannot tell whether another sluiced answers: %w", path, reason(err))
	}
	return os.Remove(path)
}

func alive(path, pid string) error {
	if pid != "" {
		pid = " (pid " + pid + ")"
	}
	return fmt.Errorf("control socket: another sluiced answers on %s%s: stop it, or set control.socket to another path", path, pid)
}

// reason is the part of a network error that the path is not repeated in.
func reason(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// groupID resolves a group's name or number; -1 for "".
func groupID(group string) (int, error) {
	if group == "" {
		return -1, nil
	}
	if n, err := strconv.ParseUint(group, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return 0, fmt.Errorf("control socket: group %s: unknown: create it (groupadd --system %s), or set control.group to one there is", group, group)
	}
	return strconv.Atoi(g.Gid)
}

// makeDirectory creates the directory of path for gid; made tells whether it had to.
func makeDirectory(path string, gid int) (made bool, err error) {
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err == nil {
		return false, nil
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return false, err
	}
	return true, os.Chown(dir, -1, gid)
}
