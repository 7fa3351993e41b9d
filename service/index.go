package service

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"net/netip"
)

// index is a hash table that is filled once and then only read: open
// addressing, linear probing, at most half full. It exists because a flood of
// packets without a flow asks it for every packet, where a Go map would cost
// several times as much; the seed keeps outsiders from choosing collisions.
type index[K comparable, V any] struct {
	hash  func(K) uint64
	cells []cell[K, V]
	used  int
}

type cell[K comparable, V any] struct {
	key   K
	value V
	full  bool
}

// newIndex makes an index that takes size keys before it grows.
func newIndex[K comparable, V any](hash func(K) uint64, size int) *index[K, V] {
	cells := 8
	for cells < 2*size {
		cells *= 2
	}
	return &index[K, V]{hash: hash, cells: make([]cell[K, V], cells)}
}

func (x *index[K, V]) get(key K) (value V, ok bool) {
	c := x.find(key)
	return c.value, c.full
}

// find returns the cell of key, or the empty one where it would go.
func (x *index[K, V]) find(key K) *cell[K, V] {
	mask := uint64(len(x.cells) - 1)
	i := x.hash(key) & mask
	for x.cells[i].full && x.cells[i].key != key {
		i = (i + 1) & mask
	}
	return &x.cells[i]
}

// put sets key to value. Only before the index is published.
func (x *index[K, V]) put(key K, value V) {
	if 2*(x.used+1) > len(x.cells) {
		x.grow()
	}
	c := x.find(key)
	if !c.full {
		x.used++
	}
	*c = cell[K, V]{key, value, true}
}

func (x *index[K, V]) grow() {
	old := x.cells
	x.cells, x.used = make([]cell[K, V], 2*len(old)), 0
	for _, c := range old {
		if c.full {
			x.put(c.key, c.value)
		}
	}
}

var seed = rand.Uint64() | 1

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^seed, b^0x9E3779B97F4A7C15)
	return hi ^ lo
}

func hashAddr(a netip.Addr) uint64 {
	b := a.As16()
	return mix(mix(binary.LittleEndian.Uint64(b[:8]), seed), binary.LittleEndian.Uint64(b[8:]))
}

func hashKey(k Key) uint64 {
	return mix(hashAddr(k.Addr), uint64(k.Port)<<8|uint64(k.Proto))
}
