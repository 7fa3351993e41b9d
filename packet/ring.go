package packet

import "sync/atomic"

// Ring is a bounded queue of buffers with one producer and one consumer
// thread. Neither ever waits for the other: Push reports a full ring and Pop
// an empty one. Indexes live on cache lines of their own; each side works on a
// cached copy of the other's.
type Ring struct {
	slots []*Buf
	mask  uint64

	_        [64]byte
	head     atomic.Uint64 // consumer: writes, producer: reads
	tailSeen uint64        // consumer only
	highest  atomic.Uint64 // consumer: writes, anybody: reads

	_        [64]byte
	tail     atomic.Uint64 // producer: writes, consumer: reads
	headSeen uint64        // producer only
	_        [64]byte
}

// NewRing makes a ring for at least size buffers (rounded up to a power of 2).
func NewRing(size int) *Ring {
	n := 1
	for n < size {
		n <<= 1
	}
	return &Ring{slots: make([]*Buf, n), mask: uint64(n - 1)}
}

// Push appends b. It reports false, and the caller keeps b, when the ring is full.
func (r *Ring) Push(b *Buf) bool {
	tail := r.tail.Load()
	if tail-r.headSeen > r.mask {
		r.headSeen = r.head.Load()
		if tail-r.headSeen > r.mask {
			return false
		}
	}
	r.slots[tail&r.mask] = b
	r.tail.Store(tail + 1)
	return true
}

// Pop moves up to limit buffers to the front of burst and returns how many.
func (r *Ring) Pop(burst *Burst, limit int) int {
	head := r.head.Load()
	if head == r.tailSeen {
		r.tailSeen = r.tail.Load()
		if level := r.tailSeen - head; level > r.highest.Load() {
			r.highest.Store(level)
		}
	}
	n := min(int(r.tailSeen-head), limit, BurstSize)
	for i := range n {
		slot := &r.slots[(head+uint64(i))&r.mask]
		burst[i], *slot = *slot, nil
	}
	if n > 0 {
		r.head.Store(head + uint64(n))
	}
	return n
}

// Len is how many buffers wait in the ring; exact on either side's own thread,
// a recent value elsewhere.
func (r *Ring) Len() int {
	head := r.head.Load() // first: it never passes the tail, which may move on meanwhile
	return min(int(r.tail.Load()-head), len(r.slots))
}

// Highest is the most buffers that Pop ever found waiting. Pop looks when it has
// taken what it had seen, so a level between two looks may have been higher by
// what it took meanwhile, a burst or so. Any thread may ask.
func (r *Ring) Highest() int { return int(r.highest.Load()) }

// Cap is how many buffers the ring holds.
func (r *Ring) Cap() int { return len(r.slots) }
