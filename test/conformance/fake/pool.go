package fake

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// What a buffer holds, in bytes, as DPDK's default mbuf.
const (
	Headroom = 128
	Room     = Headroom + 2048
)

// Pool is a packet.Pool that knows which of its buffers are out. It panics
// when one is freed twice or is not its own, and overwrites what is freed. It
// allocates nothing once made.
type Pool struct {
	mu   sync.Mutex
	free []*packet.Buf
	out  map[*packet.Buf]bool // of every buffer: is it out
}

// NewPool makes a pool of size buffers.
func NewPool(size int) *Pool { return NewPoolOf(size, Room) }

// NewPoolOf makes a pool of size buffers of room bytes, headroom included.
func NewPoolOf(size, room int) *Pool {
	p := &Pool{out: make(map[*packet.Buf]bool, size)}
	for range size {
		b := packet.NewBuf(room, Headroom)
		p.free = append(p.free, b)
		p.out[b] = false
	}
	return p
}

// Alloc implements packet.Pool.
func (p *Pool) Alloc() *packet.Buf {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return nil
	}
	b := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.out[b] = true
	reset(b)
	return b
}

// reset empties a buffer, wherever its frame began.
func reset(b *packet.Buf) {
	field(b, packet.OffsetDataOff, Headroom)
	field(b, packet.OffsetNbSegs, 1)
	b.SetLen(0)
}

// Chain makes a buffer say that its frame goes on in n-1 others.
func Chain(b *packet.Buf, n uint16) { field(b, packet.OffsetNbSegs, n) }

// field sets a field of struct rte_mbuf as a driver does.
func field(b *packet.Buf, offset uintptr, value uint16) {
	*(*uint16)(unsafe.Add(unsafe.Pointer(b), offset)) = value
}

// Free implements packet.Pool.
func (p *Pool) Free(burst *packet.Burst, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range burst[:n] {
		if out, ours := p.out[b]; !out {
			panic(fmt.Sprintf("fake: free: buffer %p: ours %v, but not out: freed twice", b, ours))
		}
		p.out[b] = false
		p.free = append(p.free, b)
		poison(b.Bytes())
	}
}

// poison makes late readers of a frame see nonsense.
func poison(frame []byte) {
	for i := range frame {
		frame[i] = 0xdb
	}
}

// InUse implements packet.Pool.
func (p *Pool) InUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.out) - len(p.free)
}

// Size implements packet.Pool.
func (p *Pool) Size() int { return len(p.out) }

// Copy is a buffer with a copy of frame; it panics when the pool is empty.
func (p *Pool) Copy(frame []byte) *packet.Buf {
	b := p.Alloc()
	if b == nil || !b.SetLen(len(frame)) {
		panic(fmt.Sprintf("fake: copy: %d bytes: pool of %d empty or frame too long", len(frame), p.Size()))
	}
	copy(b.Bytes(), frame)
	return b
}
