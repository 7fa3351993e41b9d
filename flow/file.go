package flow

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"
)

// file is the shared file that a table's entries live in, mapped: what the
// table writes is in the file when the process is killed a moment later. The
// kernel takes what was stored before the instruction at which it ends a
// process, and nothing after: so what matters is the order of stores in the
// program, not when other processors see them.
type file struct {
	handle  *os.File // its lock says that the table is in use
	mapping []byte
	kind    string // "tmpfs" or "hugetlbfs"
	clocks  *clocks
	records []record // by backend id
	tick    uint32   // of which the clocks speak
}

// checkFile says what is wrong with a configuration as far as a file goes.
func checkFile(c Config) error {
	if c.File != "" && (c.Backends < 1 || c.Backends > MaxFileBackends) {
		return fmt.Errorf("create flow table: %d backends to describe in %s: not between 1 and %d: choose a number that is", c.Backends, c.File, MaxFileBackends)
	}
	return nil
}

// newFile creates the file and makes it the place of a table's entries.
func newFile(c Config) (*file, entries, error) {
	plan := planFile(c.Flows, c.Flows6, c.Backends)
	f, err := createFile(c.File, plan.size)
	if err != nil {
		return nil, entries{}, fmt.Errorf("create flow table: %s: %w", c.File, err)
	}
	f.clocks = &view[clocks](f.mapping, clocksOffset, 1)[0]
	f.records = view[record](f.mapping, recordOffset, plan.backends+1)
	f.setClocks(0)
	f.writeHeader(plan, c.Owners)
	return f, plan.view(f.mapping), nil
}

// writeHeader makes the file one that can be adopted: before, its checksum is wrong.
func (f *file) writeHeader(plan filePlan, owners Owners) {
	h := &view[header](f.mapping, 0, 1)[0]
	*h = header{
		magic: fileMagic, order: orderMark, version: fileVersion, pid: uint32(os.Getpid()), layout: layoutMark,
		tick: int64(Tick), boot: bootID(), owners: owners,
		flows: uint32(plan.flows), flows6: uint32(plan.flows6), backends: uint32(plan.backends),
	}
	atomic.StoreUint32(&h.sum, checksum(f.mapping[:headerSize]))
}

// keepTime is called with the table's time, often. Once a tick it looks at the
// clock of all processes: how the two relate changes when the machine sleeps, or
// the table's clock jumps.
func (f *file) keepTime(tick uint32) {
	if tick != f.tick {
		f.setClocks(tick)
	}
}

// setClocks says that this tick is now.
func (f *file) setClocks(tick uint32) {
	f.tick = tick
	origin := bootTime() - int64(tick)*int64(Tick)
	for i := range f.clocks {
		atomic.StoreInt64(&f.clocks[i].origin, origin)
		atomic.StoreInt64(&f.clocks[i].check, origin^clockMark)
	}
}

// mark sets the flags of an entry, which decide whether it is a flow. In a file it
// does so between all stores before and all behind it, so that a process that
// adopts what a killed one left finds a flow whole or not at all.
func (t *Table) mark(c *Common, flags uint8) {
	if t.file == nil {
		c.Flags = flags
		return
	}
	word := [4]byte{c.Proto, uint8(c.Mode), uint8(c.State), flags}
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&c.Proto)), binary.NativeEndian.Uint32(word[:]))
}

// mark stores the four bytes as one word.
var (
	_ [0]byte = [unsafe.Offsetof(Common{}.Proto) % 4]byte{}
	_ [3]byte = [unsafe.Offsetof(Common{}.Flags) - unsafe.Offsetof(Common{}.Proto)]byte{}
)
