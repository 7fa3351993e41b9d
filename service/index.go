package service

import "math/rand/v2"

// index is a hash table that is filled once and then only read: open
// addressing, linear probing, at most half full. It exists because a flood of
// packets without a flow asks it for every packet, where a Go map would cost
// several times as much; the seed keeps outsiders from choosing collisions.
type index struct {
	cells []cell
	used  int
}

// cell is empty when its key is the zero value, which no Wire is.
type cell struct {
	key   Wire
	value uint32
}

// newIndex makes an index that takes size keys before it grows.
func newIndex(size int) *index {
	cells := 8
	for cells < 2*size {
		cells *= 2
	}
	return &index{cells: make([]cell, cells)}
}

// get is the value of key, 0 when it is not there.
func (x *index) get(key Wire) uint32 { return x.find(key).value }

// find returns the cell of key, or the empty one where it would go.
func (x *index) find(key Wire) *cell {
	mask := uint64(len(x.cells) - 1)
	for i := key.hash(seed); ; i++ {
		c := &x.cells[i&mask]
		if c.key == key || c.key.rest == 0 {
			return c
		}
	}
}

// put sets key to value. Only before the index is published.
func (x *index) put(key Wire, value uint32) {
	if 2*(x.used+1) > len(x.cells) {
		x.grow()
	}
	c := x.find(key)
	if c.key.rest == 0 {
		x.used++
	}
	*c = cell{key, value}
}

func (x *index) grow() {
	old := x.cells
	x.cells, x.used = make([]cell, 2*len(old)), 0
	for _, c := range old {
		if c.key.rest != 0 {
			x.put(c.key, c.value)
		}
	}
}

var seed = rand.Uint64() | 1
