package flow

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/sluice-lb/sluice/service"
)

// ErrInUse is why OpenSaved refuses a file whose writer still runs.
var ErrInUse = errors.New("the table is in use")

// Saved is a file of flows that a process left, killed or not: read, never
// written, and never trusted. Several tables may adopt from it at a time, each on
// its worker's thread.
type Saved struct {
	path       string
	handle     *os.File // nil in tests that need none
	reader     io.ReaderAt
	header     header
	plan       filePlan
	origin     int64 // of tick 0, ns of bootTime
	identities []Identity
	now        func() int64 // bootTime
}

// OpenSaved opens a file that a table was created in (Config.File) by a process
// that has ended; errors.Is ErrInUse while it runs. A file that this program
// cannot read is refused: see header.check.
func OpenSaved(path string) (*Saved, error) {
	handle, err := openLocked(path)
	if err != nil {
		return nil, fmt.Errorf("adopt flow table: %s: %w", path, err)
	}
	s := &Saved{path: path, handle: handle, reader: handle, now: bootTime}
	info, err := handle.Stat()
	if err == nil {
		err = s.read(info.Size(), bootID())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("adopt flow table: %s: %w", path, err), handle.Close())
	}
	return s, nil
}

// Close ends the reading and leaves the file.
func (s *Saved) Close() error { return s.handle.Close() }

// Remove deletes the file: when its flows were adopted, or nobody wants them.
func (s *Saved) Remove() error { return errors.Join(os.Remove(s.path), s.Close()) }

// Owners is what the writer had in Config.Owners.
func (s *Saved) Owners() Owners { return s.header.owners }

// Cap is the most flows of a family there can be in the file.
func (s *Saved) Cap(f Family) int {
	if f == IPv6 {
		return s.plan.flows6
	}
	return s.plan.flows
}

// Translate asks what each backend of the file is called here, 0 if it is not
// known, and returns the answers by the file's ids: Adopter.Backends.
func (s *Saved) Translate(here func(Identity) service.BackendID) []service.BackendID {
	ids := make([]service.BackendID, len(s.identities))
	for old, d := range s.identities {
		if d.valid() {
			ids[old] = here(d)
		}
	}
	return ids
}

// read takes in all but the entries of a file of that size.
func (s *Saved) read(size int64, boot [16]byte) error {
	page := make([]byte, recordOffset)
	if size < recordOffset {
		return fmt.Errorf("%d bytes: shorter than a header: remove the file", size)
	}
	if _, err := s.reader.ReadAt(page, 0); err != nil {
		return fmt.Errorf("read header: %w: try again or remove the file", err)
	}
	copy(bytesOf(&s.header), page)
	if why, todo := s.header.check(page, boot); why != "" {
		return fmt.Errorf("%s: %s", why, todo)
	}
	h := &s.header
	s.plan = planFile(int(h.flows), int(h.flows6), int(h.backends))
	if size < int64(s.plan.size) {
		return fmt.Errorf("%d bytes, of %d: cut short: remove the file", size, s.plan.size)
	}
	var c clocks
	var ok bool
	copy(bytesOf(&c), page[clocksOffset:])
	if s.origin, ok = c.originBefore(s.now()); !ok {
		return fmt.Errorf("clocks %x: damaged: remove the file", c)
	}
	return s.readIdentities()
}

func (s *Saved) readIdentities() error {
	records := make([]record, s.plan.backends+1)
	raw := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(records))), len(records)*int(unsafe.Sizeof(record{})))
	if _, err := s.reader.ReadAt(raw, recordOffset); err != nil {
		return fmt.Errorf("read backends: %w: try again or remove the file", err)
	}
	s.identities = make([]Identity, len(records))
	for id := 1; id < len(records); id++ {
		if d, ok := records[id].get(); ok {
			s.identities[id] = d
		}
	}
	return nil
}

// tick is what the writer's table would have as its time now.
func (s *Saved) tick() uint32 { return uint32((s.now() - s.origin) / int64(Tick)) }

// writer is who uses a file, as far as its header says.
func writer(f io.ReaderAt) uint32 {
	var h header
	if _, err := f.ReadAt(bytesOf(&h), 0); err != nil || h.magic != fileMagic {
		return 0
	}
	return h.pid
}
