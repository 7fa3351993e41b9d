package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

var background = context.Background()

// lock is a locked file beside a socket. It says who holds it, and whether the
// directory is a daemon's to remove; a daemon that was killed leaves that to
// the next.
type lock struct {
	file    *os.File
	ownsDir bool
}

// acquire makes and locks path+".lock". It tries again when it loses a race
// with a daemon that is just ending, which removes the file or the directory.
func acquire(path string, gid int) (*lock, error) {
	name := path + ".lock"
	for range 100 {
		made, err := makeDirectory(path, gid)
		if err != nil {
			return nil, fmt.Errorf("control socket: directory: %w", err)
		}
		file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("control socket: lock: %w", err)
		}
		err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && !isAt(file, name) {
			err = unix.ESTALE
		}
		if err == nil {
			return newLock(file, made)
		}
		pid, _ := readLock(file)
		file.Close()
		if err == unix.EWOULDBLOCK {
			return nil, alive(path, pid)
		} else if err != unix.ESTALE {
			return nil, fmt.Errorf("control socket: lock %s: %w", name, err)
		}
	}
	return nil, fmt.Errorf("control socket: lock %s: it keeps being removed: is a sluiced started again and again?", name)
}

// isAt tells whether an open file still is the one of that name.
func isAt(file *os.File, name string) bool {
	opened, err1 := file.Stat()
	named, err2 := os.Lstat(name)
	return err1 == nil && err2 == nil && os.SameFile(opened, named)
}

const ownsDirectory = "directory made by sluiced"

func newLock(file *os.File, made bool) (*lock, error) {
	_, before := readLock(file)
	l := &lock{file: file, ownsDir: made || before}
	text := strconv.Itoa(os.Getpid()) + "\n"
	if l.ownsDir {
		text += ownsDirectory + "\n"
	}
	err := file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt([]byte(text), 0)
	}
	if err != nil {
		l.release()
		return nil, fmt.Errorf("control socket: lock: %w", err)
	}
	return l, nil
}

func readLock(file *os.File) (pid string, ownsDir bool) {
	var b [128]byte
	n, _ := file.ReadAt(b[:], 0)
	pid, rest, _ := strings.Cut(string(b[:n]), "\n")
	return pid, strings.HasPrefix(rest, ownsDirectory)
}

// release removes the file, then lets go of it: in the other order it could be
// the next daemon's. The directory goes if it is ours and empty.
func (l *lock) release() {
	name := l.file.Name()
	_ = os.Remove(name)
	_ = l.file.Close()
	if l.ownsDir {
		_ = os.Remove(filepath.Dir(name))
	}
}
