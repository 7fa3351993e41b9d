package flow

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// steppedEnv makes the test binary a process whose every instruction is watched.
const steppedEnv = "SLUICE_FLOW_STEPPED"

const (
	stepSeed    = 1
	unwatched   = 300 // changes to begin with
	watched     = 30
	watchSignal = unix.SIGSTOP // before and after what is watched
	endSignal   = unix.SIGUSR1
)

// The tracer follows one thread: the one that the work is done on.
func init() {
	if os.Getenv(steppedEnv) != "" {
		runtime.LockOSThread()
	}
}

// writeStepped makes changes, with a signal before and behind those to watch.
func writeStepped(path string) error {
	table, err := newScripted(path)
	if err != nil {
		return err
	}
	s := newScript(stepSeed, table)
	for range unwatched {
		s.step()
	}
	s.watch = func() { raise(watchSignal) }
	for range watched {
		s.step()
	}
	raise(endSignal)
	return errors.New("nobody watches")
}

func raise(s unix.Signal) { _ = unix.Tgkill(os.Getpid(), unix.Gettid(), s) }

// Between any two instructions of Insert, Remove, SetState and Count, the file
// holds what it held before or what it holds after: what is adopted from it does
// not depend on where in them a process is killed.
func TestEveryInstructionLeavesWholeFlows(t *testing.T) {
	if newTable(t, Config{Flows: 1}).Stats().Memory == "heap" {
		t.Skip("the race detector's instructions are not those that run, and too many")
	}
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	path := filepath.Join(shmDir(t), "flows")
	writer := exec.Command(os.Args[0])
	writer.Env = append(os.Environ(), steppedEnv+"="+path, "GOGC=off", "GODEBUG=asyncpreemptoff=1")
	writer.Stderr = os.Stderr
	writer.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := writer.Start(); errors.Is(err, unix.EPERM) {
		t.Skip("tracing is not allowed here")
	} else {
		require.NoError(t, err)
	}
	pid := writer.Process.Pid
	var others []int
	defer func() {
		require.NoError(t, writer.Process.Kill())
		for _, thread := range others { // their tracer buries them
			_, err := unix.Wait4(thread, nil, unix.WALL, nil)
			require.NoError(t, err)
		}
		require.EqualError(t, writer.Wait(), "signal: killed")
	}()
	require.Equal(t, unix.SIGTRAP, wait(t, pid), "stops when it begins")
	require.NoError(t, syscall.PtraceCont(pid, 0))
	for s := wait(t, pid); s != watchSignal; s = wait(t, pid) {
		require.NoError(t, syscall.PtraceCont(pid, int(s)))
	}
	others = stopOthers(t, pid)
	w := newWatch(t, path)
	for stepping := true; ; {
		resume := step
		if !stepping {
			resume = unix.PtraceCont
		}
		require.NoError(t, resume(pid, 0))
		switch wait(t, pid) {
		case watchSignal:
			stepping = !stepping
		case endSignal:
			w.end(t)
			return
		default:
			w.look(t)
		}
	}
}

// stopOthers stops all threads of a process but the first: nothing wants
// to run instead of it, however slow it is.
func stopOthers(t *testing.T, pid int) (others []int) {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	require.NoError(t, err)
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		require.NoError(t, err)
		if id != pid {
			require.NoError(t, unix.PtraceAttach(id))
			others = append(others, id)
			require.Equal(t, unix.SIGSTOP, wait(t, id))
		}
	}
	return others
}

// wait is the signal with which the process stops next.
func wait(t *testing.T, pid int) unix.Signal {
	var status unix.WaitStatus
	_, err := unix.Wait4(pid, &status, unix.WALL, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped(), "status %#x", status)
	return status.StopSignal()
}

// step lets one instruction run.
func step(pid, _ int) error { return unix.PtraceSingleStep(pid) }

// watch follows what is in a file.
type watch struct {
	file   []byte // mapped
	last   []byte
	table  *Table
	script *script
	made   int // changes, of those that are watched
	states int // of the file
}

func newWatch(t *testing.T, path string) *watch {
	f, err := os.Open(path)
	require.NoError(t, err)
	info, err := f.Stat()
	require.NoError(t, err)
	file, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	t.Cleanup(func() { require.NoError(t, unix.Munmap(file)) })
	w := &watch{file: file, last: make([]byte, len(file)), script: newScript(stepSeed, nil),
		table: newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows})}
	for range unwatched {
		w.script.step()
	}
	return w
}

// look adopts what is in the file, if that is new, and compares.
func (w *watch) look(t *testing.T) {
	if bytes.Equal(w.file, w.last) {
		return
	}
	copy(w.last, w.file)
	w.states++
	for i := Index(1); i != 0; i = w.table.after(i) {
		w.table.Remove(i)
	}
	saved, err := readSaved(w.last)
	require.NoError(t, err)
	report := adoptAll(t, w.table, saved)
	require.Equal(t, report.Total(), report[Adopted], "after %d changes, state %d: %v", w.made, w.states, report)
	err = w.script.compare(w.table)
	for tries := 0; err != nil && tries < 8 && w.made < watched; tries++ { // some change nothing
		w.script.step()
		w.made++
		if w.script.compare(w.table) == nil {
			err = nil
		}
	}
	require.NoError(t, err, "after %d changes, state %d", w.made, w.states)
}

func (w *watch) end(t *testing.T) {
	for ; w.made < watched; w.made++ {
		w.script.step()
	}
	require.NoError(t, w.script.compare(w.table))
	require.Greater(t, w.states, 5*watched, "stores are seen one by one")
}
