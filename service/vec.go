package service

// chunk is how many elements are copied when one of them changes.
const chunk = 64

// Vec is an immutable array indexed by id: Set returns a new one that shares
// all chunks but one with the old. Index 0 exists and is never set.
type Vec[T any] struct {
	chunks []*[chunk]T
}

// Len is one more than the greatest index that At accepts.
func (v Vec[T]) Len() int { return len(v.chunks) * chunk }

// At points to element i, which nobody may change; nil beyond the end.
func (v Vec[T]) At(i uint32) *T {
	c := int(i / chunk)
	if c >= len(v.chunks) {
		return nil
	}
	return &v.chunks[c][i%chunk]
}

// Changed visits the elements that may differ from those of an older array: all of
// the chunks that they do not share.
func (v Vec[T]) Changed(old Vec[T], visit func(i uint32, value *T)) {
	for c, elements := range v.chunks {
		if c < len(old.chunks) && old.chunks[c] == elements {
			continue
		}
		for i := range elements {
			visit(uint32(c*chunk+i), &elements[i])
		}
	}
}

// Set returns the array with element i replaced, grown if needed.
func (v Vec[T]) Set(i uint32, value T) Vec[T] {
	e := v.Edit()
	e.Set(i, value)
	return e.Done()
}

// Edit starts a series of changes, which leave v as it is.
func (v Vec[T]) Edit() *Edit[T] { return &Edit[T]{old: v, now: v} }

// Edit collects changes to a Vec, so that a chunk is copied once however many of
// its elements change, and nothing at all is copied when none does.
type Edit[T any] struct {
	old, now Vec[T]
	begun    bool // now.chunks is our own copy
}

// Get is element i as changed so far; the zero value beyond the end.
func (e *Edit[T]) Get(i uint32) (value T) {
	if p := e.now.At(i); p != nil {
		value = *p
	}
	return value
}

// Set replaces element i.
func (e *Edit[T]) Set(i uint32, value T) {
	e.own(int(i / chunk))
	e.now.chunks[i/chunk][i%chunk] = value
}

// own makes chunk c one that only this edit refers to.
func (e *Edit[T]) own(c int) {
	if !e.begun {
		e.now.chunks = append(make([]*[chunk]T, 0, max(len(e.old.chunks), c+1)), e.old.chunks...)
		e.begun = true
	}
	for len(e.now.chunks) <= c {
		e.now.chunks = append(e.now.chunks, new([chunk]T))
	}
	if c < len(e.old.chunks) && e.now.chunks[c] == e.old.chunks[c] {
		changed := *e.old.chunks[c]
		e.now.chunks[c] = &changed
	}
}

// Done returns the changed array; the edit must not be used any more.
func (e *Edit[T]) Done() Vec[T] { return e.now }
