package flow

import (
	"errors"
	"fmt"
	"unsafe"
)

// MaxFlows is the most flows of one family a table can hold: an Index has 30
// bits for them, a bucket's number 32.
const MaxFlows = 1 << 28

// Config is what a table is made of. It cannot change afterwards: a table that
// grew would stall its worker.
type Config struct {
	Flows    int      // capacity for IPv4
	Flows6   int      // capacity for IPv6; 0: Insert6 is refused
	Seed     uint64   // of the hash; 0: random
	Timeouts Timeouts // zeros: DefaultTimeouts

	// File is a path on tmpfs or hugetlbfs, where nothing is yet: the entries live
	// there, and a later process can adopt the flows (OpenSaved). Empty: they end
	// with this process. The two below go with it.
	File     string
	Backends int    // highest id that Describe takes
	Owners   Owners // kept for who adopts
}

// Table holds the flows of one worker. Only that worker uses it.
type Table struct {
	keys  keys
	index index // of both families
	entries
	pools [numFamilies]pool
	wheel wheel             // of both families
	hands [numFamilies]hand // of eviction
	clock clock
	life  [NumStates]uint32 // ticks of silence that end a flow

	file   *file // of the entries; nil: they are in memory, too
	memory region
	bytes  int // of memory in use
	shared int // of these, what both families share: index and wheel
}

// flagUsed in Common.Flags: the entry is a flow, not free.
const flagUsed = 1

// The sizes that the layout and prefetch_amd64.s rely on.
var (
	_ [64]byte  = [unsafe.Sizeof(Entry4{})]byte{}
	_ [128]byte = [unsafe.Sizeof(Entry6{})]byte{}
	_ [64]byte  = [unsafe.Offsetof(Entry6{}.Common)]byte{}
	_ [48]byte  = [unsafe.Sizeof(Common{})]byte{}
	_ [16]byte  = [unsafe.Sizeof(Side{})]byte{}
	_ [48]byte  = [unsafe.Sizeof(cold{})]byte{}
	_ [64]byte  = [unsafe.Sizeof(bucket{})]byte{}
	_ [16]byte  = [unsafe.Offsetof(bucket{}.refs)]byte{}
	_ [48]byte  = [unsafe.Offsetof(bucket{}.none)]byte{}
)

// New makes an empty table with all of its memory resident. Call it on the
// worker's own thread, so that the memory is of the worker's NUMA node.
func New(c Config) (*Table, error) {
	if c.Flows < 1 || c.Flows > MaxFlows {
		return nil, fmt.Errorf("create flow table: %d flows: not between 1 and %d: choose a number that is", c.Flows, MaxFlows)
	}
	if c.Flows6 < 0 || c.Flows6 > MaxFlows {
		return nil, fmt.Errorf("create flow table: %d IPv6 flows: not between 0 and %d: choose a number that is", c.Flows6, MaxFlows)
	}
	if err := checkFile(c); err != nil {
		return nil, err
	}
	life, err := c.Timeouts.ticks()
	if err != nil {
		return nil, err
	}
	t := &Table{keys: newKeys(c.Seed), life: life}
	if err := t.place(c); err != nil {
		return nil, err
	}
	return t, nil
}

// place allocates the memory and lays the parts out in it.
func (t *Table) place(c Config) (err error) {
	homes, overflow := indexSize(2 * (c.Flows + c.Flows6))
	var l layout
	buckets := l.take((homes + overflow) * int(unsafe.Sizeof(bucket{})))
	heads := l.take(wheelSlots * 4)
	t.shared = l.size
	var parts entryParts
	if c.File == "" {
		parts = l.takeEntries(c.Flows, c.Flows6)
	}
	if t.memory, err = allocate(l.size); err != nil {
		return err
	}
	m := t.memory.bytes
	t.bytes = l.size
	if c.File == "" {
		t.entries = parts.view(m)
	} else if t.file, t.entries, err = newFile(c); err != nil {
		return errors.Join(err, t.memory.free())
	}
	t.index = newIndex(view[bucket](m, buckets, homes+overflow), homes)
	lists := links{&t.entries}
	t.pools = [numFamilies]pool{newPool(lists, IPv4, c.Flows), newPool(lists, IPv6, c.Flows6)}
	t.hands = [numFamilies]hand{{at: MakeIndex(IPv4, 1)}, {at: MakeIndex(IPv6, 1)}}
	t.wheel = wheel{links: lists, heads: view[uint32](m, heads, wheelSlots)}
	return nil
}

// Close gives the memory back. Entries must not be used any more. A file stays,
// with its flows, for another process to adopt.
func (t *Table) Close() error {
	t.index, t.entries = index{}, entries{} // what comes too late panics
	t.pools, t.wheel = [numFamilies]pool{}, wheel{}
	return errors.Join(t.file.close(), t.memory.free())
}

// At is the entry of an IPv4 flow's index that a look-up or Insert gave.
func (t *Table) At(i Index) *Entry4 { return &t.hot4[i] }

// At6 is the entry of an IPv6 flow's index that a look-up or Insert6 gave.
func (t *Table) At6(i Index) *Entry6 { return &t.hot6[i.position()] }

// Common is the part of a flow's entry that both families have.
func (t *Table) Common(i Index) *Common { return t.common(i) }

// Len is the number of flows of both families, Cap the most there can be.
func (t *Table) Len() int { return t.pools[IPv4].used() + t.pools[IPv6].used() }

// Cap is the most flows of both families there can be.
func (t *Table) Cap() int { return t.pools[IPv4].size + t.pools[IPv6].size }

// Len6 is the number of IPv6 flows, Cap6 the most there can be.
func (t *Table) Len6() int { return t.pools[IPv6].used() }

// Cap6 is the most IPv6 flows there can be.
func (t *Table) Cap6() int { return t.pools[IPv6].size }

// BytesPerFlow is the memory for one flow of a family at full capacity: its
// entry, and its share of what all flows use together.
func (t *Table) BytesPerFlow(f Family) float64 {
	entry := unsafe.Sizeof(cold{})
	if f == IPv6 {
		entry += unsafe.Sizeof(Entry6{})
	} else {
		entry += unsafe.Sizeof(Entry4{})
	}
	return float64(entry) + float64(t.shared)/float64(t.Cap())
}

// Stats tell how well the index does.
type Stats struct {
	Buckets      int    // home buckets
	Overflow     int    // overflow buckets in use
	OverflowCap  int    // overflow buckets there are
	LongestChain int    // most buckets a look-up ever had to walk
	Memory       string // "hugetlb" (2 MB pages), "mmap" or "heap"
	File         string // what the entries are in instead: "tmpfs" or "hugetlbfs"; or empty
}

// Stats are cheap.
func (t *Table) Stats() Stats {
	homes := int(t.index.homes)
	s := Stats{homes, t.index.overflow, len(t.index.buckets) - homes, t.index.longest, t.memory.kind, ""}
	if t.file != nil {
		s.File = t.file.kind
	}
	return s
}
