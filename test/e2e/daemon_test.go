package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/client"
)

// ctx is for calls of the control socket, which answers or is gone.
var ctx = context.Background()

// setup is how a daemon is started.
type setup struct {
	Config map[string]any // by key, as workers.flows; nil value: the key is removed
	Wrap   []string       // a command that runs the daemon
	Args   []string
	Env    []string
}

// daemon is a sluiced on a lab's gateway, and a client of its control socket.
type daemon struct {
	client.Client
	t      *testing.T
	lab    *lab
	cmd    *exec.Cmd
	log    string // file
	before string // fingerprint of the lab
	mbufs  int    // in use when it was ready
	ended  chan struct{}
}

// config writes the lab's configuration, changed, and returns the file.
func (l *lab) config(changes map[string]any) string {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "sluice.yaml"))
	require.NoError(l.t, err)
	config := map[string]any{}
	require.NoError(l.t, yaml.Unmarshal(text, &config))
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		set(config, strings.Split(key, "."), changes[key])
	}
	text, err = yaml.Marshal(config)
	require.NoError(l.t, err)
	l.n++
	file := filepath.Join(l.dir, fmt.Sprintf("sluice-%d.yaml", l.n))
	require.NoError(l.t, os.WriteFile(file, text, 0o644))
	return file
}

func set(config map[string]any, path []string, value any) {
	if len(path) > 1 {
		inner, ok := config[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			config[path[0]] = inner
		}
		set(inner, path[1:], value)
	} else if value == nil {
		delete(config, path[0])
	} else {
		config[path[0]] = value
	}
}

// sluiced prepares a daemon's command line.
func (l *lab) sluiced(s setup) *exec.Cmd {
	args := slices.Concat(s.Wrap, []string{program("sluiced"), "--config", l.config(s.Config)}, s.Args)
	cmd := l.command("gw", args...)
	cmd.Env = append(os.Environ(), s.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// start starts a daemon and waits until it is ready and its neighbors are known
// to it. Its log is shown if the test fails.
func (l *lab) start(s setup) *daemon {
	l.t.Helper()
	d := l.launch(s)
	d.ready()
	return d
}

// launch starts a daemon.
func (l *lab) launch(s setup) *daemon {
	l.t.Helper()
	d := &daemon{t: l.t, lab: l, before: l.fingerprint(), ended: make(chan struct{})}
	d.Socket = filepath.Join(l.dir, "control.sock")
	d.cmd = l.sluiced(s)
	d.log = filepath.Join(l.dir, fmt.Sprintf("sluiced-%d.log", l.n))
	log, err := os.Create(d.log)
	require.NoError(l.t, err)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	require.NoError(l.t, d.cmd.Start())
	require.NoError(l.t, log.Close())
	go func() { _ = d.cmd.Wait(); close(d.ended) }()
	l.t.Cleanup(d.cleanup)
	l.record(d.cmd.Process.Pid)
	return d
}

// record lets the lab's keeper end the process, should we be killed.
func (l *lab) record(pid int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return // ended already: ready says why
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	text := fmt.Sprintf("%d %s\n", pid, fields[19])
	require.NoError(l.t, os.WriteFile(filepath.Join(l.dir, "pids", fmt.Sprintf("e2e-%d", l.n)), []byte(text), 0o644))
}

func (d *daemon) ready() {
	d.t.Helper()
	eventually(d.t, "the daemon answers on its socket", func() bool {
		_, err := d.Status(ctx)
		if d.running() {
			return err == nil
		}
		d.t.Fatalf("sluiced ended: %v", d.cmd.ProcessState)
		return false
	})
	for _, host := range []string{"client", "rs1", "rs2"} {
		d.lab.run("gw", "ping", "-c", "1", "-W", "10", d.lab.addr(host).String())
	}
	d.mbufs = d.mbufsInUse()
}

// mbufsInUse is how many packet buffers are in use when it is quiet. A frame of
// the kernel's may pass at any moment: the number has to stay for a while.
func (d *daemon) mbufsInUse() int {
	d.t.Helper()
	d.quiet()
	for n, same := -1, 0; ; time.Sleep(10 * time.Millisecond) {
		if now := d.status().MbufsInUse; now != n {
			n, same = now, 0
		} else if same++; same == 3 {
			return n
		}
	}
}

func (d *daemon) running() bool {
	select {
	case <-d.ended:
		return false
	default:
		return true
	}
}

// cleanup ends the daemon of a test that did not, and shows the log of one that
// failed.
func (d *daemon) cleanup() {
	if d.running() {
		d.kill()
	}
	d.Close()
	if text, err := os.ReadFile(d.log); err == nil && d.t.Failed() {
		d.t.Logf("%s:\n%s", d.log, text)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.t.Log(err)
	}
}

// kill gives the daemon no chance to clean up.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	<-d.ended
}

// stop ends the daemon as a service manager would, after checking that it has
// lost count of nothing, and that it leaves nothing behind.
func (d *daemon) stop() {
	d.t.Helper()
	assert.Equal(d.t, d.mbufs, d.mbufsInUse(), "packet buffers in use, now and at the start")
	require.NoError(d.t, d.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.t.Fatal("sluiced does not end after SIGTERM")
	}
	assert.Zero(d.t, d.cmd.ProcessState.ExitCode(), "exit status: %v", d.cmd.ProcessState)
	assert.Equal(d.t, d.before, d.lab.fingerprint(), "what the daemon leaves behind")
	assert.NoFileExists(d.t, d.Socket)
	assert.NoDirExists(d.t, filepath.Join(d.lab.dir, "run"))
	text, err := os.ReadFile(d.log)
	require.NoError(d.t, err)
	assert.NotContains(d.t, string(text), "level=ERROR")
}

// quiet waits until no packet moves, and returns the workers' counters, in which
// every packet has come to one end.
func (d *daemon) quiet() []api.Worker {
	d.t.Helper()
	var last, now []api.Worker
	for end := time.Now().Add(patience); ; time.Sleep(60 * time.Millisecond) {
		var err error
		now, err = d.Workers(ctx)
		require.NoError(d.t, err)
		if slices.EqualFunc(last, now, func(a, b api.Worker) bool { return balanced(b) && still(a, b) }) {
			return now
		}
		require.True(d.t, time.Now().Before(end), "not received + generated = transmitted + to_kernel + handed_over + dropped, or still moving: %+v", now)
		last = now
	}
}

func balanced(w api.Worker) bool {
	return w.Received+w.Generated == w.Transmitted+w.ToKernel+w.HandedOver+w.Dropped
}

// still tells whether a worker has published since, and moved nothing.
func still(before, now api.Worker) bool {
	return now.Polls > before.Polls && sameCounts(before, now)
}

func sameCounts(a, b api.Worker) bool { return a.Received == b.Received && a.Generated == b.Generated }

func (d *daemon) status() api.Status {
	d.t.Helper()
	s, err := d.Status(ctx)
	require.NoError(d.t, err)
	return s
}

// verdicts is how many packets ended which way, when it is quiet.
func (d *daemon) verdicts() map[string]uint64 {
	d.t.Helper()
	_, out := d.count()
	return out
}

// count is the workers and the verdicts at one moment, when it is quiet.
func (d *daemon) count() ([]api.Worker, map[string]uint64) {
	d.t.Helper()
	for {
		before := d.quiet()
		list, err := d.Verdicts(ctx)
		require.NoError(d.t, err)
		after, err := d.Workers(ctx)
		require.NoError(d.t, err)
		if !slices.EqualFunc(before, after, sameCounts) {
			continue // something moved between the two answers
		}
		out := map[string]uint64{}
		for _, v := range list {
			out[v.Name] = v.Packets
		}
		return after, out
	}
}

// flows lists the flows that a filter chooses.
func (d *daemon) flows(f api.FlowFilter) (out []api.Flow) {
	d.t.Helper()
	require.NoError(d.t, d.Flows(ctx, f, func(f api.Flow) error { out = append(out, f); return nil }))
	return out
}

// counters is the traffic of a service when it is quiet, and that of its
// backends by address.
func (d *daemon) counters(key api.Key) (api.ServiceCounters, map[string]api.BackendCounters) {
	d.t.Helper()
	d.quiet()
	list, err := d.Counters(ctx, &key)
	require.NoError(d.t, err)
	require.Len(d.t, list, 1)
	backends := map[string]api.BackendCounters{}
	for _, b := range list[0].Backends {
		backends[b.Address] = b
	}
	return list[0], backends
}
