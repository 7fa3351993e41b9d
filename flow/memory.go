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
