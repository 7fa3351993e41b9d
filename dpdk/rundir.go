package dpdk

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// runtimeBase is where EAL keeps its directories, by EAL's own rules.
func runtimeBase() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); dir != "" { // systemd.exec(5)
		return filepath.Join(dir, "dpdk")
	}
	if os.Getuid() == 0 {
		return "/var/run/dpdk"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "dpdk")
	}
	return "/tmp/dpdk"
}

// runDir is EAL's directory for one prefix. It is locked while the process
// lives: without --no-shconf's files nothing else would tell a second process,
// or a sweep, that the prefix is in use. The kernel drops the lock of a process
// that was killed.
type runDir struct {
	path string
	file *os.File
}

// lockRunDir makes the directory for prefix and locks it. What a dead process
// left in it is removed first.
func lockRunDir(prefix string) (*runDir, error) {
	if err := SweepStale(prefix); err != nil {
		return nil, err
	}
	path := filepath.Join(runtimeBase(), prefix)
	for {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, failure("EAL runtime directory", path, err, "run as root, or set XDG_RUNTIME_DIR")
		}
		d, err := openLocked(path)
		if !errors.Is(err, os.ErrNotExist) { // swept by another between the two
			return d, err
		}
	}
}

// openLocked takes the lock of an existing directory.
func openLocked(path string) (*runDir, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, failure("EAL prefix", filepath.Base(path), because("a running process uses %s", path),
			"stop that process, or choose another prefix")
	}
	// The directory may have been removed between open and lock.
	mine, err1 := file.Stat()
	there, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		file.Close()
		return nil, os.ErrNotExist
	}
	return &runDir{path, file}, nil
}

// remove deletes the directory, and the one above when it was the last in it.
func (d *runDir) remove() error {
	err := os.RemoveAll(d.path)
	_ = os.Remove(filepath.Dir(d.path)) // fails, rightly, while others are in it
	return errors.Join(err, d.file.Close())
}

// SweepStale removes what a dead process with this prefix left in EAL's runtime
// directory. It returns an error when the process is alive, and nil when there
// is nothing.
func SweepStale(prefix string) error {
	if !validPrefix(prefix) {
		return prefixError(prefix)
	}
	d, err := openLocked(filepath.Join(runtimeBase(), prefix))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.remove(); err != nil {
		return failure("sweep EAL runtime directory", d.path, err, "remove it by hand")
	}
	return nil
}
