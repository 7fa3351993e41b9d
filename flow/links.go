package flow

import "unsafe"

// entries are the flows of both families. Position 0 of each array is never used.
type entries struct {
	hot4         []Entry4
	hot6         []Entry6
	cold4, cold6 []cold // parallel to hot4, hot6
}

func (s *entries) common(i Index) *Common {
	if i.IPv6() {
		return &s.hot6[i.position()].Common
	}
	return &s.hot4[i].Common
}

func (s *entries) cold(i Index) *cold {
	if i.IPv6() {
		return &s.cold6[i.position()]
	}
	return &s.cold4[i]
}

// prefetch starts to load an entry and its links.
func (s *entries) prefetch(i Index) {
	if !i.IPv6() {
		prefetchPair(unsafe.Pointer(&s.hot4[i]), unsafe.Pointer(&s.cold4[i].wheelNext))
		return
	}
	hot := &s.hot6[i.position()]
	prefetchPair(unsafe.Pointer(hot), unsafe.Pointer(&hot.Common))
	prefetch(unsafe.Pointer(&s.cold6[i.position()].wheelNext))
}

// links are the two list fields of every entry. An entry is in one list at a
// time: its family's free list, or a slot of the wheel.
type links struct{ *entries }

func (l links) next(i uint32) uint32 { return l.cold(Index(i)).wheelNext }

func (l links) setNext(i, next uint32) { l.cold(Index(i)).wheelNext = next }
func (l links) setPrev(i, prev uint32) { l.cold(Index(i)).wheelPrev = prev }

// pool hands out the indexes of a family's entries; 0 is none. The one freed
// last comes first: it is warm.
type pool struct {
	links
	first uint32
	free  int
	size  int
}

func newPool(l links, f Family, size int) pool {
	p := pool{links: l, size: size}
	for n := size; n > 0; n-- {
		p.put(uint32(MakeIndex(f, uint32(n))))
	}
	return p
}

// get takes an entry, 0 when there is none left.
func (p *pool) get() uint32 {
	i := p.first
	if i != 0 {
		p.first = p.next(i)
		p.prefetch(Index(p.first)) // for the next new flow
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

// used is how many entries are out.
func (p *pool) used() int { return p.size - p.free }
