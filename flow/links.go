package flow

// links are the two list fields of every entry of a pool, seen as words, so that
// free list and wheel need not know what an entry is: they are its last two
// words. An entry is in one list at a time: free, or in a slot of the wheel.
type links struct {
	words  []uint32 // the pool's entries
	stride int      // words per entry
}

func (l links) next(i uint32) uint32 { return l.words[int(i+1)*l.stride-2] }
func (l links) prev(i uint32) uint32 { return l.words[int(i+1)*l.stride-1] }

func (l links) setNext(i, next uint32) { l.words[int(i+1)*l.stride-2] = next }
func (l links) setPrev(i, prev uint32) { l.words[int(i+1)*l.stride-1] = prev }

// pool hands out the indexes of entries, 1 to size; 0 is none. The one freed
// last comes first: it is warm.
type pool struct {
	links
	first uint32
	free  int
	size  int
}

func newPool(l links, size int) pool {
	p := pool{links: l, size: size}
	for i := size; i > 0; i-- {
		p.put(uint32(i))
	}
	return p
}

// get takes an entry, 0 when there is none left.
func (p *pool) get() uint32 {
	i := p.first
	if i != 0 {
		p.first = p.next(i)
		p.free--
	}
	return i
}

// put gives an entry back.
func (p *pool) put(i uint32) {
	p.setNext(i, p.first)
	p.first = i
	p.free++
}
