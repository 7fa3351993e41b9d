package flow

import "unsafe"

const (
	cacheLine = 64
	hugePage  = 2 << 20
)

// region is the memory of one table.
type region struct {
	bytes   []byte // zeroed, resident, starts on a cache line
	mapping []byte // what to unmap; nil on Go's heap
	kind    string // "hugetlb", "mmap" or "heap"
}

// layout adds up the parts of a region, each on a cache line of its own.
type layout struct{ size int }

// take reserves n bytes and returns where they begin.
func (l *layout) take(n int) (offset int) {
	offset = l.size
	l.size += roundUp(n, cacheLine)
	return offset
}

// entryParts is where the entries of both families begin in a region.
type entryParts struct {
	flows, flows6            int // capacities
	hot4, cold4, hot6, cold6 int // offsets
}

// takeEntries reserves the entries of that many flows. Position 0 is never used.
func (l *layout) takeEntries(flows, flows6 int) entryParts {
	return entryParts{
		flows: flows, flows6: flows6,
		hot4:  l.take((flows + 1) * int(unsafe.Sizeof(Entry4{}))),
		cold4: l.take((flows + 1) * int(unsafe.Sizeof(cold{}))),
		hot6:  l.take((flows6 + 1) * int(unsafe.Sizeof(Entry6{}))),
		cold6: l.take((flows6 + 1) * int(unsafe.Sizeof(cold{}))),
	}
}

// view is the entries in memory.
func (p *entryParts) view(memory []byte) entries {
	return entries{
		hot4: view[Entry4](memory, p.hot4, p.flows+1), cold4: view[cold](memory, p.cold4, p.flows+1),
		hot6: view[Entry6](memory, p.hot6, p.flows6+1), cold6: view[cold](memory, p.cold6, p.flows6+1),
	}
}

// view is n values of T at offset of memory. T holds no pointers: the collector
// does not look there.
func view[T any](memory []byte, offset, n int) []T {
	var size = int(unsafe.Sizeof(*new(T)))
	part := memory[offset : offset+n*size]
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(part))), n)
}

// aligned is size bytes of memory from its first address divisible by to.
func aligned(memory []byte, size, to int) []byte {
	address := int(uintptr(unsafe.Pointer(unsafe.SliceData(memory))))
	skip := roundUp(address, to) - address
	return memory[skip : skip+size : skip+size]
}

// roundUp rounds n up to a multiple of to, a power of two.
func roundUp(n, to int) int { return (n + to - 1) &^ (to - 1) }
