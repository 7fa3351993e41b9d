//go:build race || !linux

package flow

// allocate takes Go's heap: the race detector sees nothing elsewhere.
func allocate(size int) (region, error) {
	return region{bytes: aligned(make([]byte, size+cacheLine), size, cacheLine), kind: "heap"}, nil
}

func (r *region) free() error {
	r.bytes = nil
	return nil
}
