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

// Set returns the array with element i replaced, grown if needed.
func (v Vec[T]) Set(i uint32, value T) Vec[T] {
	c := int(i / chunk)
	chunks := make([]*[chunk]T, max(len(v.chunks), c+1))
	copy(chunks, v.chunks)
	for k := range chunks {
		if chunks[k] == nil {
			chunks[k] = new([chunk]T)
		}
	}
	changed := *chunks[c]
	changed[i%chunk] = value
	chunks[c] = &changed
	return Vec[T]{chunks}
}
