package packet_test

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/packet"
)

func TestBufLayout(t *testing.T) {
	assert.EqualValues(t, 128, unsafe.Sizeof(packet.Buf{}), "two cache lines, as struct rte_mbuf")
}

// TestBufModel compares a Buf with a slice of bytes and its room on both sides.
func TestBufModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 300).Draw(t, "size")
		head := rapid.IntRange(0, size).Draw(t, "headroom")
		b := packet.NewBuf(size, head)
		length := 0
		number := func(t *rapid.T) int { return rapid.IntRange(-1, size+1).Draw(t, "n") }
		t.Repeat(map[string]func(*rapid.T){
			"prepend": func(t *rapid.T) {
				n := number(t)
				fits := n >= 0 && n <= head
				assert.Equal(t, fits, b.Prepend(n))
				if fits {
					head, length = head-n, length+n
				}
			},
			"trim": func(t *rapid.T) {
				n := number(t)
				b.Trim(n)
				if n >= 0 {
					length = min(length, n)
				}
			},
			"wrap": func(t *rapid.T) {
				end, n := rapid.IntRange(0, length).Draw(t, "end"), rapid.IntRange(0, 200).Draw(t, "n")
				limit := rapid.IntRange(0, 400).Draw(t, "limit")
				fits := n <= head && end+n <= limit
				assert.Equal(t, fits, b.Wrap(uint16(end), uint16(n), uint32(limit)))
				if fits {
					head, length = head-n, end+n
				}
			},
			"set": func(t *rapid.T) {
				n := number(t)
				fits := n >= 0 && head+n <= size
				assert.Equal(t, fits, b.SetLen(n))
				if fits {
					length = n
				}
			},
			"": func(t *rapid.T) {
				assert.Equal(t, []int{length, length, head, size - head - length, 1},
					[]int{b.Len(), len(b.Bytes()), b.Headroom(), b.Tailroom(), b.Segments()})
				for i := range b.Bytes() {
					b.Bytes()[i]++ // inside the memory, or the race detector's checkptr objects
				}
			},
		})
	})
}

func TestBufPrependKeepsBytes(t *testing.T) {
	b := packet.NewBuf(100, 10)
	b.SetLen(3)
	copy(b.Bytes(), "abc")
	assert.True(t, b.Prepend(2))
	copy(b.Bytes(), "xy")
	assert.Equal(t, "xyabc", string(b.Bytes()))
	b.Trim(3)
	assert.Equal(t, "xya", string(b.Bytes()))
}

func TestNewBufRefusesNonsense(t *testing.T) {
	assert.Panics(t, func() { packet.NewBuf(10, 11) })
	assert.Panics(t, func() { packet.NewBuf(65536, 0) })
}

func TestBufHasRSSHash(t *testing.T) {
	b := packet.NewBuf(10, 0)
	assert.False(t, b.HasRSSHash())
	flags := (*uint64)(unsafe.Add(unsafe.Pointer(b), packet.OffsetOlFlags))
	*flags = 1 << 1 // what a driver sets
	assert.True(t, b.HasRSSHash())
	*flags = ^uint64(1 << 1)
	assert.False(t, b.HasRSSHash())
}
