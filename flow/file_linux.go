package flow

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// createFile makes a file of that size, maps it and makes it resident. All of its
// memory is taken here: on a full file system this fails, where later a store
// would end the process (SIGBUS). Addresses of clients are nobody else's
// business: mode 0600.
func createFile(path string, size int) (f *file, err error) {
	const flags = os.O_RDWR | os.O_CREATE | os.O_EXCL | unix.O_NOFOLLOW
	handle, err := os.OpenFile(path, flags, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w: adopt its flows into a table with another file, then remove it", unix.EEXIST)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: choose a directory that exists and can be written", bare(err))
	}
	f = &file{handle: handle}
	if err := f.take(size); err != nil {
		return nil, errors.Join(err, f.close(), os.Remove(path))
	}
	return f, nil
}

// take locks the file and gives it its memory.
func (f *file) take(size int) error {
	fd := int(f.handle.Fd())
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock: %w: another process opened it: start again", err)
	}
	page, err := f.fileSystem()
	if err != nil {
		return err
	}
	size = roundUp(size, page)
	if err := unix.Fallocate(fd, 0, 0, int64(size)); err != nil {
		return fmt.Errorf("allocate %d bytes of %s: %w: lower the number of flows or enlarge it", size, f.kind, err)
	}
	if f.mapping, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map %d bytes: %w: lower the number of flows or free memory", size, err)
	}
	if err := makeResident(f.mapping); err != nil {
		return fmt.Errorf("prefault %d bytes: %w: lower the number of flows or free memory", size, err)
	}
	return nil
}

// fileSystem finds out what the file is on, and its page size. Only memory will
// do: what goes to a disk is written back, and stores wait for that.
func (f *file) fileSystem() (page int, err error) {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.handle.Fd()), &s); err != nil {
		return 0, fmt.Errorf("statfs: %w: choose another directory", err)
	}
	switch s.Type {
	case unix.TMPFS_MAGIC:
		f.kind = "tmpfs"
	case unix.HUGETLBFS_MAGIC:
		f.kind = "hugetlbfs"
	default:
		return 0, fmt.Errorf("file system %#x: not tmpfs or hugetlbfs, its writeback would make the worker wait: choose a directory on one of these, such as /dev/shm", s.Type)
	}
	return int(s.Bsize), nil
}

// close unmaps the file and lets go of its lock. Nothing may point into it.
func (f *file) close() error {
	if f == nil || f.handle == nil {
		return nil
	}
	var err error
	if f.mapping != nil {
		err = unix.Munmap(f.mapping)
	}
	err = errors.Join(err, f.handle.Close())
	*f = file{}
	return err
}

// openLocked opens a file of flows to read it, when no process uses it and nobody
// else can have written it.
func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open: %w: check the path", bare(err))
	}
	if err := checkOpened(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func checkOpened(f *os.File) error {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return fmt.Errorf("stat: %w: check the path", err)
	}
	switch {
	case s.Mode&unix.S_IFMT != unix.S_IFREG:
		return fmt.Errorf("mode %#o: not a regular file: check the path", s.Mode)
	case int(s.Uid) != os.Geteuid():
		return fmt.Errorf("owner %d, not %d: flows of a stranger are not adopted: remove the file", s.Uid, os.Geteuid())
	case s.Mode&0o022 != 0:
		return fmt.Errorf("mode %#o: others can write it: remove the file", s.Mode&0o7777)
	}
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("process %d: %w: wait until it has ended", writer(f), ErrInUse)
	}
	if err != nil {
		return fmt.Errorf("lock: %w: choose a file system with locks", err)
	}
	return nil
}

// bare is the cause of an error without the path, which stands before already.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// bootTime is the time since the kernel started, suspended or not, ns: the same
// for all processes.
func bootTime() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		panic("flow: CLOCK_BOOTTIME: " + err.Error()) // Linux has had it since 2.6.39
	}
	return now.Nano()
}

// bootID tells one run of the kernel from another; zeros when it does not say.
func bootID() (id [16]byte) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id
	}
	digits, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(string(text)), "-", ""))
	if err == nil {
		copy(id[:], digits)
	}
	return id
}
