package flow

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/service"
)

// leave writes a file with the flows of a script and closes the table.
func leave(t testing.TB, path string) *script {
	t.Helper()
	table, err := newScripted(path)
	require.NoError(t, err)
	s := newScript(3, table)
	for range 3000 {
		s.step()
	}
	require.NoError(t, table.Close())
	s.table = nil
	return s
}

func TestFilesAreRefused(t *testing.T) {
	dir := shmDir(t)
	path := filepath.Join(dir, "flows")
	open := func(path, want string) {
		t.Helper()
		_, err := OpenSaved(path)
		require.ErrorContains(t, err, "adopt flow table: "+path)
		require.ErrorContains(t, err, want)
	}
	open(path, "no such file")
	table, err := newScripted(path)
	require.NoError(t, err)
	_, err = OpenSaved(path)
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, table.Close())

	link, pipe, short := filepath.Join(dir, "link"), filepath.Join(dir, "pipe"), filepath.Join(dir, "short")
	require.NoError(t, os.Symlink(path, link))
	open(link, "symbolic links")
	require.NoError(t, unix.Mkfifo(pipe, 0o600))
	open(pipe, "not a regular file")
	require.NoError(t, os.WriteFile(short, []byte("sluiceft"), 0o600))
	open(short, "8 bytes: shorter than a header")
	require.NoError(t, os.Chmod(path, 0o620))
	open(path, "others can write it")
	require.NoError(t, os.Chmod(path, 0o600))
	if os.Geteuid() == 0 {
		require.NoError(t, os.Chown(path, 65534, 65534))
		open(path, "flows of a stranger")
		require.NoError(t, os.Chown(path, 0, 0))
	}
	saved, err := OpenSaved(path)
	require.NoError(t, err)
	_, err = OpenSaved(path)
	require.ErrorIs(t, err, ErrInUse, "one adopts at a time")
	require.Equal(t, scriptConfig("").Owners, saved.Owners())
	require.NoError(t, saved.Remove())
	require.NoFileExists(t, path)
}

func TestFilesThatCannotBe(t *testing.T) {
	dir := shmDir(t)
	path := filepath.Join(dir, "flows")
	create := func(path string, backends int, want string) {
		t.Helper()
		_, err := New(Config{Flows: 100_000, File: path, Backends: backends})
		require.ErrorContains(t, err, path)
		require.ErrorContains(t, err, want)
	}
	create(path, 0, "0 backends")
	create(path, MaxFileBackends+1, "backends")
	create(filepath.Join(dir, "none", "flows"), 1, "choose a directory")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	create(path, 1, "adopt its flows")
	elsewhere := filepath.Join(t.TempDir(), "flows")
	if _, err := New(Config{Flows: 10, File: elsewhere, Backends: 1}); err != nil { // /tmp may be a tmpfs
		require.ErrorContains(t, err, "not tmpfs or hugetlbfs")
		require.NoFileExists(t, elsewhere)
	}
	small := filepath.Join(dir, "small")
	require.NoError(t, os.Mkdir(small, 0o700))
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("cannot mount: ", err)
	}
	defer func() { require.NoError(t, unix.Unmount(small, 0)) }()
	create(filepath.Join(small, "flows"), 1, "no space left on device: lower the number of flows")
	require.NoFileExists(t, filepath.Join(small, "flows"))
}

func TestFileMode(t *testing.T) {
	path := filepath.Join(shmDir(t), "flows")
	leave(t, path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

// The adopter's own table may be in a file, and be adopted in turn.
func TestAdoptionIsHandedOn(t *testing.T) {
	dir := shmDir(t)
	first, second := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	s := leave(t, first)
	table, err := New(Config{Flows: scriptFlows, Flows6: scriptFlows, File: second, Backends: 100})
	require.NoError(t, err)
	require.Equal(t, "tmpfs", table.Stats().File)
	for id := service.BackendID(1); id <= scriptBackends; id++ {
		require.NoError(t, table.Describe(adoptedID(id), scriptIdentity(id)))
	}
	require.ErrorContains(t, table.Describe(101, scriptIdentity(1)), "id 101: not between 1 and 100")
	require.ErrorContains(t, table.Describe(1, Identity{Port: 1}), "incomplete")
	saved, err := OpenSaved(first)
	require.NoError(t, err)
	table.Advance(0)
	table.Advance(time.Hour) // its clock is not the other's
	report := adoptAll(t, table, saved)
	require.Equal(t, report.Total(), report[Adopted])
	require.NoError(t, s.compare(table))
	require.NoError(t, saved.Remove())
	require.NoError(t, table.Close())

	again, err := OpenSaved(second)
	require.NoError(t, err)
	third := newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows})
	report = adoptAll(t, third, again)
	require.Equal(t, report.Total(), report[Adopted], "%v", report)
	require.NoError(t, s.compare(third))
	require.NoError(t, again.Close())
}

// Time goes on while nobody has the flows: who was silent too long has ended.
func TestTimePasses(t *testing.T) {
	path := filepath.Join(shmDir(t), "flows")
	s := leave(t, path)
	saved, err := OpenSaved(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, saved.Close()) }()
	saved.now = func() int64 { return bootTime() + int64(100*time.Second) } // only FIN_WAIT and ESTABLISHED last
	table := newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows})
	report := adoptAll(t, table, saved)
	want := 0
	for i := range s.flows {
		if f := &s.flows[i]; f.live && (f.state == StateEstablished || f.state == StateFinWait) {
			want++
			e := f.entry(i)
			c := table.Common(e.request().find(table).Index())
			require.LessOrEqual(t, table.TimeLeft(c), DefaultTimeouts()[f.state]-100*time.Second+Tick)
		}
	}
	require.Positive(t, report[Ended])
	require.Equal(t, want, report[Adopted])
	require.Equal(t, want+report[Ended], report.Total())
}

// Another number of workers: each takes what is its own; what is there already stays.
func TestAdoptionByOwner(t *testing.T) {
	path := filepath.Join(shmDir(t), "flows")
	s := leave(t, path)
	saved, err := OpenSaved(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, saved.Close()) }()
	ids, total := saved.Translate(translateScript), 0
	const workers = 3
	for w := range uint32(workers) {
		table, told := newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows}), 0
		how := Adopter{
			Backends: ids,
			Take:     func(e *Entry4) bool { return e.Sides[Request].Ports>>8%workers == w },
			Take6:    func(e *Entry6) bool { return e.Sides[Request].Ports>>8%workers == w },
			Adopted:  func(i Index, c *Common) { told++; require.Same(t, table.Common(i), c) },
		}
		a := table.Adopt(saved, how)
		finish(t, a)
		require.Positive(t, a.Report[Adopted])
		require.Equal(t, a.Report[Adopted], told)
		require.Equal(t, a.Report.Total(), a.Report[Adopted]+a.Report[NotTaken])
		require.NoError(t, table.verify(table.tuples()))
		total += told

		again := table.Adopt(saved, how)
		finish(t, again)
		require.Equal(t, told, again.Report[Duplicate])
		gone := table.Adopt(saved, Adopter{Backends: ids[:1]})
		finish(t, gone)
		require.Equal(t, gone.Report.Total(), gone.Report[BackendGone])
	}
	live := 0
	for i := range s.flows {
		if s.flows[i].live {
			live++
		}
	}
	require.Equal(t, live, total, "every flow has one owner")

	small := newTable(t, Config{Flows: 5, Flows6: 5})
	report := adoptAll(t, small, saved)
	require.Equal(t, 10, report[Adopted])
	require.Equal(t, live-10, report[NoRoom])
}

func TestAdoptionAllocatesNothing(t *testing.T) {
	path := filepath.Join(shmDir(t), "flows")
	leave(t, path)
	saved, err := OpenSaved(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, saved.Close()) }()
	table, err := New(Config{Flows: 1000, Flows6: 1000, File: path + ".new", Backends: 8})
	require.NoError(t, err)
	defer func() { require.NoError(t, table.Close()) }()
	a := table.Adopt(saved, Adopter{Backends: saved.Translate(translateScript)})
	now := time.Duration(0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		now += Tick
		table.Advance(now) // reads the clock
		i, _ := table.Insert(twoWay(int(now)))
		table.Remove(i)
		if _, err := a.Step(10); err != nil {
			t.Error(err)
		}
	}))
	require.Positive(t, a.Report[Adopted])
}

// With 2 MB pages to spare, a file on hugetlbfs is made of them.
func TestFileOfHugePages(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("hugetlbfs", dir, "hugetlbfs", 0, "pagesize=2M,mode=0700"); err != nil {
		t.Skip("cannot mount hugetlbfs: ", err)
	}
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	path := filepath.Join(dir, "flows")
	table, err := newScripted(path)
	if err != nil {
		t.Skip("no free page: ", err)
	}
	require.Equal(t, "hugetlbfs", table.Stats().File)
	require.NoError(t, table.Close())
	require.NoError(t, os.Remove(path))
	s := leave(t, path)
	saved, err := OpenSaved(path)
	require.NoError(t, err)
	after := newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows})
	report := adoptAll(t, after, saved)
	require.Equal(t, report.Total(), report[Adopted])
	require.NoError(t, s.compare(after))
	require.NoError(t, saved.Remove())
}
