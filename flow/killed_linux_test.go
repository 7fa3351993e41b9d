package flow

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writerEnv makes the test binary a process that writes a table and waits to be killed.
const writerEnv = "SLUICE_FLOW_WRITER"

// reportEvery changes the writer says how many it has made.
const reportEvery = 32

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		seed, _ := strconv.ParseUint(os.Args[1], 10, 64)
		fmt.Fprintln(os.Stderr, "writer:", write(path, seed))
		os.Exit(3)
	}
	if path := os.Getenv(steppedEnv); path != "" {
		fmt.Fprintln(os.Stderr, "writer:", writeStepped(path))
		os.Exit(3)
	}
	os.Exit(m.Run())
}

// write follows a script at full speed and never returns but for an error.
func write(path string, seed uint64) error {
	table, err := newScripted(path)
	if err != nil {
		return err
	}
	began, s := time.Now(), newScript(seed, table)
	for done := uint64(0); !s.failed; done++ {
		if done%reportEvery == 0 {
			table.Advance(time.Since(began))
			if err := binary.Write(os.Stdout, binary.NativeEndian, done); err != nil {
				return err
			}
		}
		s.step()
	}
	return errors.New("an insert failed")
}

// killWriter starts a writer, kills it that long after its first report (with
// waits false: after its start), and returns how many changes it reported.
func killWriter(t *testing.T, path string, seed uint64, waits bool, after time.Duration) (done uint64) {
	t.Helper()
	writer := exec.Command(os.Args[0], strconv.FormatUint(seed, 10))
	writer.Env = append(os.Environ(), writerEnv+"="+path)
	writer.Stderr = os.Stderr
	reports, err := writer.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, writer.Start())
	read := func() (err error) { return binary.Read(reports, binary.NativeEndian, &done) }
	if waits {
		require.NoError(t, read(), "the first report")
	}
	time.AfterFunc(after, func() { _ = writer.Process.Kill() })
	for err == nil {
		err = read()
	}
	require.ErrorIs(t, err, io.EOF)
	require.EqualError(t, writer.Wait(), "signal: killed")
	return done
}

// shmDir is a directory on tmpfs.
func shmDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "sluice-flow-test-")
	if err != nil {
		t.Skip("no /dev/shm: ", err)
	}
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// A process that is killed at any moment leaves every flow that was there,
// nothing of those that were not, and no half of any.
func TestKilledWriter(t *testing.T) {
	dir := shmDir(t)
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	for round := range uint64(rounds) {
		path := filepath.Join(dir, strconv.FormatUint(round, 10))
		done := killWriter(t, path, round, true, time.Duration(rand.Int64N(int64(20*time.Millisecond))))
		saved, err := OpenSaved(path)
		require.NoError(t, err)
		table := newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows})
		report := adoptAll(t, table, saved)
		require.Equal(t, report.Total(), report[Adopted], "%v", report)
		requireScript(t, table, round, done)
		require.NoError(t, saved.Remove())
	}
}

// adoptAll adopts in slices of a random size.
func adoptAll(t testing.TB, table *Table, saved *Saved) Report {
	t.Helper()
	a := table.Adopt(saved, Adopter{Backends: saved.Translate(translateScript)})
	finish(t, a)
	return a.Report
}

func finish(t testing.TB, a *Adoption) {
	t.Helper()
	for done := false; !done; {
		before := a.Report.Total()
		budget := 1 + rand.IntN(100)
		var err error
		done, err = a.Step(budget)
		require.NoError(t, err)
		require.LessOrEqual(t, a.Report.Total()-before, budget)
	}
	done, err := a.Step(1)
	require.True(t, done, "for good")
	require.NoError(t, err)
}

// requireScript compares the table with a script after done changes, or one of
// the next that the writer had not reported yet.
func requireScript(t *testing.T, table *Table, seed, done uint64) {
	t.Helper()
	s := newScript(seed, nil)
	for range done {
		s.step()
	}
	err := s.compare(table)
	for more := 0; more <= reportEvery && err != nil; more++ {
		s.step()
		if s.compare(table) == nil {
			err = nil
		}
	}
	require.NoError(t, err, "after %d changes, and not after %d more either", done, reportEvery)
	require.NoError(t, table.verify(s.tuples()))
}

// compare looks every flow of the script up.
func (s *script) compare(table *Table) error {
	live := 0
	for n := range s.flows {
		f := &s.flows[n]
		e := f.entry(n)
		ref := e.request().find(table)
		if (ref != 0) != f.live {
			return fmt.Errorf("flow %d: found %v, live %v", n, ref != 0, f.live)
		}
		if !f.live {
			continue
		}
		live++
		if err := f.compare(table, n, ref.Index()); err != nil {
			return fmt.Errorf("flow %d: %w", n, err)
		}
	}
	if live != table.Len() {
		return fmt.Errorf("%d flows, want %d", table.Len(), live)
	}
	return nil
}

func (f *scriptFlow) compare(table *Table, n int, i Index) error {
	want, got, c := f.entry(n), table.entryAt(i), table.Counters(i)
	if want.hasReply() && want.reply().find(table) != MakeRef(i, Reply) {
		return errors.New("reply not found")
	}
	if c.Packets != [2]uint64{f.packets} {
		return fmt.Errorf("packets %d, want %d", c.Packets, f.packets)
	}
	if bytes := c.Bytes[Request]; bytes != f.packets*scriptBytes && bytes != (f.packets+1)*scriptBytes {
		return fmt.Errorf("%d bytes in %d packets", bytes, f.packets) // one more: killed in Count
	}
	if left := table.TimeLeft(table.Common(i)); left <= 0 || left > DefaultTimeouts()[f.state]+Tick {
		return fmt.Errorf("%v left", left)
	}
	got.LastSeen = 0
	want.Flags, want.Backend, want.NetEpoch = flagUsed, adoptedID(want.Backend), 0
	for d := range want.Sides {
		got.Sides[d].clear()
		want.Sides[d].Hop = 0
	}
	if got != want {
		return fmt.Errorf("%+v, want %+v", got, want)
	}
	return nil
}

// tuples is how many there are in the index.
func (s *script) tuples() (n int) {
	for i := range s.flows {
		if e := s.flows[i].entry(i); s.flows[i].live {
			n++
			if e.hasReply() {
				n++
			}
		}
	}
	return n
}

// A process that is killed while it creates its file leaves none, one that is
// refused, or a table.
func TestKilledWhileCreating(t *testing.T) {
	dir := shmDir(t)
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	for round := range uint64(rounds) {
		path := filepath.Join(dir, strconv.FormatUint(round, 10))
		done := killWriter(t, path, round, false, time.Duration(rand.Int64N(int64(30*time.Millisecond))))
		saved, err := OpenSaved(path)
		if err != nil {
			require.Zero(t, done, "what was in use is a table: %v", err)
			if !errors.Is(err, fs.ErrNotExist) {
				require.Regexp(t, "shorter than a header|damaged|no flow table", err)
			}
			continue
		}
		table := newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows})
		adoptAll(t, table, saved)
		if done > 0 {
			requireScript(t, table, round, done)
		}
		require.NoError(t, saved.Remove())
	}
}
