package flow

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/service"
)

// readSaved is OpenSaved of a file in memory.
func readSaved(file []byte) (*Saved, error) {
	s := &Saved{path: "memory", reader: bytes.NewReader(file), now: bootTime}
	return s, s.read(int64(len(file)), bootID())
}

// savedFile is a file after some changes of a script, and the script.
func savedFile(t testing.TB) ([]byte, *script) {
	t.Helper()
	dir := shmDir(t)
	table, err := newScripted(filepath.Join(dir, "flows"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, table.Close())
		require.NoError(t, os.RemoveAll(dir)) // now: fuzzing ends its workers without cleaning up
	}()
	s := newScript(1, table)
	for range 2000 {
		s.step()
	}
	require.False(t, s.failed)
	return bytes.Clone(table.file.mapping), s
}

// reseal makes the header's checksum right.
func reseal(file []byte) []byte {
	binary.NativeEndian.PutUint32(file[unsafe.Offsetof(header{}.sum):], checksum(file))
	return file
}

// adoptFile adopts all of a file in memory into a new table.
func adoptFile(t testing.TB, file []byte) (*Table, Report) {
	t.Helper()
	saved, err := readSaved(file)
	require.NoError(t, err)
	table := newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows})
	return table, adoptAll(t, table, saved)
}

// No byte of the header can change without notice, and no byte of one clock matters.
func TestEveryByteOfTheHeader(t *testing.T) {
	file, s := savedFile(t)
	for at := range recordOffset {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			file[at] ^= flip
			saved, err := readSaved(file)
			if at < headerSize {
				require.Error(t, err, "byte %d", at)
			} else {
				require.NoError(t, err, "byte %d", at)
				require.Less(t, saved.tick(), uint32(60*time.Second/Tick), "byte %d", at)
			}
			file[at] ^= flip
		}
	}
	table, report := adoptFile(t, file)
	require.Equal(t, report.Total(), report[Adopted])
	require.NoError(t, s.compare(table))
}

// Headers whose checksum is right, of other programs and machines.
func TestForeignHeaders(t *testing.T) {
	good, _ := savedFile(t)
	for _, c := range []struct {
		what   string
		change func(h *header, page []byte)
		want   string
	}{
		{"magic", func(h *header, _ []byte) { h.magic[0] = 'S' }, `begins with "Sluiceft", not "sluiceft".*check the path`},
		{"order", func(h *header, _ []byte) { h.order = 0x04030201 }, "0x04030201.*another architecture.*remove the file"},
		{"version", func(h *header, _ []byte) { h.version = 7 }, "version 7, this program reads 2: remove"},
		{"layout", func(h *header, _ []byte) { h.layout++ }, "layout .*another release.*remove"},
		{"tick", func(h *header, _ []byte) { h.tick = 5 }, "ticks of 5 ns.*remove"},
		{"boot", func(h *header, _ []byte) { h.boot[3]++ }, "before this machine started: remove"},
		{"no flows", func(h *header, _ []byte) { h.flows = 0 }, "0 IPv4 and 200 IPv6 flows.*remove"},
		{"flows", func(h *header, _ []byte) { h.flows = MaxFlows + 1 }, "IPv4 and 200 IPv6 flows.*remove"},
		{"flows6", func(h *header, _ []byte) { h.flows6 = 1 << 31 }, "IPv6 flows.*remove"},
		{"backends", func(h *header, _ []byte) { h.backends = MaxFileBackends + 1 }, "backends.*remove"},
		{"no backends", func(h *header, _ []byte) { h.backends = 0 }, "0 backends.*remove"},
		{"size", func(h *header, _ []byte) { h.flows = MaxFlows }, "cut short: remove"},
		{"clocks", func(_ *header, page []byte) { clear(page[clocksOffset:]) }, "clocks .*damaged: remove"},
		{"future", func(_ *header, page []byte) {
			far := bootTime() + int64(time.Hour)
			copy(page[clocksOffset:], bytesOf(&clocks{{far, far ^ clockMark}, {far, far ^ clockMark}}))
		}, "clocks .*damaged: remove"},
	} {
		file := bytes.Clone(good)
		var h header
		copy(bytesOf(&h), file)
		c.change(&h, file)
		copy(file, bytesOf(&h))
		_, err := readSaved(reseal(file))
		require.Error(t, err, c.what)
		require.Regexp(t, c.want, err.Error(), c.what)
	}
	for _, size := range []int{0, 1, recordOffset - 1, recordOffset, 5000} {
		_, err := readSaved(good[:size])
		require.Error(t, err, size)
	}
}

// Entries that no table has written are refused for what is wrong with them.
func TestDamagedEntries(t *testing.T) {
	good, s := savedFile(t)
	longAgo := -uint32(DefaultTimeouts()[StateEstablished]/Tick + 10)
	for _, c := range []struct {
		why    Outcome
		change func(c *Common, old *cold)
	}{
		{BadFlags, func(c *Common, _ *cold) { c.Flags = 2 }},
		{BadKind, func(c *Common, _ *cold) { c.State = StateNone }},
		{BadKind, func(c *Common, _ *cold) { c.State = NumStates }},
		{BadKind, func(c *Common, _ *cold) { c.State = StateUDP }},
		{BadKind, func(c *Common, _ *cold) { c.Proto = 1 }},
		{BadKind, func(c *Common, _ *cold) { c.Proto = 17 }},
		{BadKind, func(c *Common, _ *cold) { c.Mode = 0 }},
		{BadKind, func(c *Common, _ *cold) { c.Mode = 200 }},
		{BadBackend, func(c *Common, _ *cold) { c.Backend = 0 }},
		{BadBackend, func(c *Common, _ *cold) { c.Backend = 1 << 31 }},
		{BadTuple, func(c *Common, _ *cold) { c.Mode = service.ModeDR }}, // has no replies
		{BadTuple, func(c *Common, _ *cold) { c.Backend = c.Backend%scriptBackends + 1 }},
		{BadTime, func(c *Common, _ *cold) { c.LastSeen = 1 << 30 }},
		{BadTime, func(_ *Common, old *cold) { old.created = 1 << 30 }},
		{Ended, func(c *Common, old *cold) { c.LastSeen, old.created = longAgo, longAgo }},
	} {
		file := bytes.Clone(good)
		entries := planFile(scriptFlows/2, scriptFlows/2, scriptBackends)
		in := entries.view(file)
		spoiled := 0
		for n := range s.flows {
			f := &s.flows[n]
			e := f.entry(n)
			if f.live && spoiled < 10 && (e.hasReply() || c.why != BadTuple) {
				c.change(in.common(f.index), in.cold(f.index))
				spoiled++
			}
		}
		table, report := adoptFile(t, file)
		require.Equal(t, spoiled, report[c.why], "%v: %v", c.why, report)
		require.Equal(t, report.Total()-spoiled, report[Adopted], "%v: %v", c.why, report)
		require.Equal(t, table.Len(), report[Adopted])
		require.Equal(t, c.why >= BadFlags, report.Damaged() == spoiled)
	}
}

// Whatever is in a header, it is read or refused.
func FuzzSavedHeader(f *testing.F) {
	file, _ := savedFile(f)
	f.Add(file[:recordOffset+500])
	f.Add(file[:200])
	f.Fuzz(func(t *testing.T, page []byte) {
		damaged := bytes.Clone(file)
		copy(damaged, page)
		_, _ = readSaved(damaged)
		if saved, err := readSaved(reseal(damaged)); err == nil {
			table := newTable(t, Config{Flows: scriptFlows, Flows6: scriptFlows})
			report := adoptAll(t, table, saved)
			require.Equal(t, table.Len(), report[Adopted])
			require.NoError(t, table.verify(table.tuples()))
		}
	})
}

// Whatever is in backends and entries, what is adopted is a table.
func FuzzSavedEntries(f *testing.F) {
	file, _ := savedFile(f)
	f.Add(uint32(0), file[recordOffset:recordOffset+2000])
	f.Add(uint32(1500), bytes.Repeat([]byte{1}, 5000))
	f.Fuzz(func(t *testing.T, at uint32, data []byte) {
		damaged := bytes.Clone(file)
		body := damaged[recordOffset:]
		copy(body[int(at)%len(body):], data)
		table, report := adoptFile(t, damaged)
		require.Equal(t, table.Len(), report[Adopted])
		require.NoError(t, table.verify(table.tuples()))
		table.Advance(0)
		table.Advance(24 * time.Hour)
		table.Expire(wheelSlots+table.Cap()+1, func(Index, *Common) {})
		require.NoError(t, table.verify(table.tuples()))
	})
}

// tuples counts those of all flows.
func (t *Table) tuples() (n int) {
	for next := Index(0); ; {
		next = t.Scan(next, t.Cap()+1, func(i Index) {
			n++
			if e := t.entryAt(i); e.hasReply() {
				n++
			}
		})
		if next == 0 {
			return n
		}
	}
}
