package flow

import (
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math"
	"reflect"
	"unsafe"

	"github.com/sluice-lb/sluice/service"
)

// A file of flows, as one process writes it and a later one reads it:
//
//	0     header, checked as a whole: what the file is, how large, whose
//	2048  clocks: when the table's tick 0 was
//	4096  records: what each backend id means (identity.go)
//	...   hot and cold entries of IPv4, hot and cold of IPv6
//
// All of it in the writer's byte order and layout: a program that does not lay
// entries out alike refuses the file. The index, the wheel and the free lists
// follow from the entries and are not in it, and so neither is the hash's seed.
const (
	fileVersion  = 2
	headerSize   = 2048
	clocksOffset = headerSize
	recordOffset = 4096
)

var fileMagic = [8]byte{'s', 'l', 'u', 'i', 'c', 'e', 'f', 't'}

// orderMark reads otherwise in another byte order.
const orderMark = 0x01020304

// MaxFileBackends is the highest backend id that a file can describe.
const MaxFileBackends = 1 << 20

// Owners says how flows were spread over the workers of the process that wrote
// a file. The table does not interpret it: it tells a later process, with
// perhaps another number of workers, whether it has to ask who owns each flow.
type Owners struct {
	Worker, Workers uint16      // whose table this is, of how many
	Key             [40]byte    // of the Toeplitz hash
	Slots           [128]uint16 // redirection table: the worker of each slot
}

// header is written once, before the file is of use to anybody.
type header struct {
	magic   [8]byte
	order   uint32 // orderMark
	version uint32
	sum     uint32 // CRC-32C of all headerSize bytes, this field being 0
	pid     uint32 // of the writer: for messages only
	layout  uint64 // layoutMark

	tick     int64    // Tick, ns
	boot     [16]byte // of the kernel: its clocks are of one boot only
	flows    uint32
	flows6   uint32
	backends uint32 // highest id described
	_        uint32
	owners   Owners
}

// The header fits its place, and so do the clocks.
var (
	_ [headerSize - unsafe.Sizeof(header{})]byte
	_ [recordOffset - clocksOffset - unsafe.Sizeof(clocks{})]byte
)

// layoutMark is a hash of all that the meaning of an entry's bytes depends on:
// fields, their types, sizes and order, the numbers of states and modes. So
// that a change cannot be forgotten, it is taken from the types themselves.
var layoutMark = func() uint64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %s %s %d ", describe[Entry4](), describe[Entry6](), describe[cold](), describe[record](), isFull)
	fmt.Fprint(h, stateNames, service.ModeDR, service.ModeNAT, service.ModeFullNAT, service.ModeTun, flagUsed)
	for m := service.ModeNone; m <= service.ModeTun; m++ {
		fmt.Fprint(h, m)
	}
	return h.Sum64()
}()

// describe spells a type out: names, kinds, offsets and sizes of all fields.
func describe[T any]() string { return spell(reflect.TypeFor[T]()) }

func spell(t reflect.Type) string {
	text := fmt.Sprintf("%s %d", t.Kind(), t.Size())
	switch t.Kind() {
	case reflect.Array:
		text += " of " + spell(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			text += fmt.Sprintf("; %s at %d: %s", f.Name, f.Offset, spell(f.Type))
		}
	}
	return text
}

// bytesOf is the memory of a value without pointers.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// checksum is that of a header's headerSize bytes.
func checksum(page []byte) uint32 {
	const at = int(unsafe.Offsetof(header{}.sum))
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, page[:at])
	sum = crc32.Update(sum, table, make([]byte, 4))
	return crc32.Update(sum, table, page[at+4:headerSize])
}

// check says what is wrong with the header in page, recordOffset bytes, and
// what to do; empty when nothing is.
func (h *header) check(page []byte, boot [16]byte) (why, todo string) {
	const discard = "remove the file: the connections in it begin anew"
	switch {
	case h.magic != fileMagic:
		return fmt.Sprintf("begins with %q, not %q: no flow table of Sluice", h.magic[:], fileMagic[:]), "check the path"
	case h.order != orderMark:
		return fmt.Sprintf("byte order mark %#08x, not %#08x: written on another architecture", h.order, orderMark), discard
	case h.version != fileVersion:
		return fmt.Sprintf("version %d, this program reads %d", h.version, fileVersion), discard
	case h.sum != checksum(page):
		return fmt.Sprintf("checksum %#08x, not %#08x: damaged, or its writer ended while creating it", checksum(page), h.sum), discard
	case h.layout != layoutMark:
		return fmt.Sprintf("layout %#016x, this program's is %#016x: another release or architecture", h.layout, layoutMark), discard
	case h.tick != int64(Tick):
		return fmt.Sprintf("ticks of %d ns, this program's have %d", h.tick, int64(Tick)), discard
	case h.boot != boot:
		return fmt.Sprintf("boot %x, now %x: written before this machine started", h.boot, boot), discard
	case h.flows < 1 || h.flows > MaxFlows || h.flows6 > MaxFlows:
		return fmt.Sprintf("%d IPv4 and %d IPv6 flows: not between 1 or 0 and %d", h.flows, h.flows6, MaxFlows), discard
	case h.backends < 1 || h.backends > MaxFileBackends:
		return fmt.Sprintf("%d backends: not between 1 and %d", h.backends, MaxFileBackends), discard
	}
	return "", ""
}

// filePlan is where the parts of a file begin.
type filePlan struct {
	entryParts
	backends int
	size     int
}

func planFile(flows, flows6, backends int) filePlan {
	l := layout{size: recordOffset}
	l.take((backends + 1) * int(unsafe.Sizeof(record{})))
	parts := l.takeEntries(flows, flows6)
	return filePlan{parts, backends, l.size}
}

// clocks ties the table's ticks to CLOCK_BOOTTIME, which all processes share. It is
// written twice, so that one is whole whenever the writer is killed.
type clocks [2]struct{ origin, check int64 }

// clockMark makes zeros no clock.
const clockMark = 0x736c756963650a01

// maxAge ns lie between an origin and now at most: differences do not overflow.
const maxAge = math.MaxInt64 / 2

// originBefore is when tick 0 was, in ns of CLOCK_BOOTTIME; ok is false when
// neither clock is whole and not in the future.
func (c *clocks) originBefore(now int64) (origin int64, ok bool) {
	for _, clock := range c {
		if clock.origin^clockMark == clock.check && clock.origin <= now && clock.origin > -maxAge {
			return clock.origin, true
		}
	}
	return 0, false
}
