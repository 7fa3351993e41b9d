package flow

import (
	"encoding/binary"
	"math/bits"
)

const (
	bucketSlots = 8
	// Slots per tuple when the table is full. At half load one bucket in fifty
	// overflows, and one tuple in three hundred is not in its home bucket.
	slotsPerTuple = 2
	// Overflow buckets: one for so many homes, six times the need at full load,
	// and some more, because in small tables chance weighs more.
	homesPerOverflow = 8
	overflowMin      = 8
)

// bucket is one cache line. A tag of 0 is an empty slot.
type bucket struct {
	tags [2 * bucketSlots]byte // eight tags of 16 bits, little-endian
	refs [bucketSlots]Ref
	none Ref    // 0: what a look-up finds when no tag fits
	next uint32 // overflow bucket, 0: none
	_    [8]byte
}

// index finds refs by hash. It knows no keys: a tag that fits is a candidate,
// which the caller compares. Homes and overflow buckets share one array; in a
// chain every bucket but the last is full.
type index struct {
	buckets  []bucket
	homes    uint64
	free     uint32 // overflow buckets not in use, linked by next
	overflow int    // overflow buckets in use
	longest  int    // most buckets a chain has had
	none     bucket // always empty
}

// indexSize is the number of home and overflow buckets for that many tuples.
func indexSize(tuples int) (homes, overflow int) {
	homes = (tuples*slotsPerTuple + bucketSlots - 1) / bucketSlots
	return homes, homes/homesPerOverflow + overflowMin
}

func newIndex(buckets []bucket, homes int) index {
	x := index{buckets: buckets, homes: uint64(homes), longest: 1}
	for i := len(buckets) - 1; i >= homes; i-- {
		buckets[i].next = x.free
		x.free = uint32(i)
	}
	return x
}

// home scales the hash to the number of homes: any number will do, not only
// powers of two, so that memory is what the flows need.
func (x *index) home(hash uint64) uint32 {
	hi, _ := bits.Mul64(hash, x.homes)
	return uint32(hi)
}

// tagOf is odd, for 0 is an empty slot.
func tagOf(hash uint64) uint64 {
	return hash&0xffff | 1
}

// words are the tags, four in each, slot 0 and slot 4 lowest.
func (b *bucket) words() (lo, hi uint64) {
	return binary.LittleEndian.Uint64(b.tags[:8]), binary.LittleEndian.Uint64(b.tags[8:])
}

// match marks the slots that hold tag. Without a branch: in both words the
// lanes equal to the tag become zero lanes and those become ones.
func (b *bucket) match(tag uint64) slotSet {
	const low15 = 0x7fff_7fff_7fff_7fff
	lo, hi := b.words()
	want := tag * 0x0001_0001_0001_0001
	lo, hi = lo^want, hi^want
	lo = ^((lo&low15 + low15) | lo | low15)
	hi = ^((hi&low15 + low15) | hi | low15)
	return slotSet(lo>>15 | hi>>14)
}

// slotSet has bit 16*n for slot n below 4, bit 16*(n-4)+1 for the others.
type slotSet uint64

// first is the lowest bit's slot; some slot when there is none.
func (s slotSet) first() int {
	bit := bits.TrailingZeros64(uint64(s))
	return (bit>>4 | bit<<2) & (bucketSlots - 1)
}

func (b *bucket) set(slot int, tag uint64, ref Ref) {
	slot &= bucketSlots - 1
	binary.LittleEndian.PutUint16(b.tags[2*slot:], uint16(tag))
	b.refs[slot] = ref
}

func (b *bucket) tag(slot int) uint64 {
	return uint64(binary.LittleEndian.Uint16(b.tags[2*(slot&(bucketSlots-1)):]))
}

// free marks the slots that are empty: tags are odd.
func (b *bucket) free() slotSet {
	const ones = 0x0001_0001_0001_0001
	lo, hi := b.words()
	return slotSet(^lo&ones | ^hi&ones<<1)
}

func (b *bucket) empty() bool { return b.tags == [2 * bucketSlots]byte{} }

// candidate is a ref of the home bucket whose tag fits, 0
// when there is none. Without a branch.
func (x *index) candidate(hash uint64) Ref {
	b := &x.buckets[x.home(hash)]
	found := b.match(tagOf(hash))
	any := (uint64(found) | -uint64(found)) >> 63
	return b.refs[found.first()] & -Ref(any)
}

// put adds a ref; false when it needs an overflow bucket and none is left.
func (x *index) put(hash uint64, ref Ref) bool {
	b := &x.buckets[x.home(hash)]
	free := b.free()
	if free == 0 {
		if b = x.behind(b); b == nil {
			return false
		}
		free = b.free()
	}
	b.set(free.first(), tagOf(hash), ref)
	return true
}

// behind is the bucket with a free slot that ends the chain of a full home; nil
// when that needs an overflow bucket and none is left.
func (x *index) behind(home *bucket) *bucket {
	_, last, length := x.chain(home)
	if last.free() == 0 {
		if last = x.extend(last); last == nil {
			return nil
		}
		length++
	}
	x.longest = max(x.longest, length)
	return last
}

// remove takes a ref out that was put with hash.
func (x *index) remove(hash uint64, ref Ref) {
	home := &x.buckets[x.home(hash)]
	slot := home.match(tagOf(hash)).first()
	if home.next == 0 && home.refs[slot] == ref { // nearly always
		home.set(slot, 0, 0)
		return
	}
	x.removeAnyhow(home, hash, ref)
}

// removeAnyhow is remove in a chain, or where several tags fit.
func (x *index) removeAnyhow(home *bucket, hash uint64, ref Ref) {
	b, slot := x.locate(home, hash, ref)
	if home.next == 0 {
		b.set(slot, 0, 0)
		return
	}
	x.shorten(home, b, slot)
}

// shorten moves the last slot of a chain to where one became free, so that chains
// shrink as they grew.
func (x *index) shorten(home, b *bucket, slot int) {
	before, tail, _ := x.chain(home)
	mover := (^tail.free() & allSlots).first()
	b.set(slot, tail.tag(mover), tail.refs[mover])
	tail.set(mover, 0, 0)
	if before != tail && tail.empty() {
		i := before.next
		before.next = 0
		tail.next = x.free
		x.free = i
		x.overflow--
	}
}

const allSlots slotSet = 0x0003_0003_0003_0003

// locate finds the bucket and the slot of a ref. It is there, or the table is
// corrupt and the worker ends.
func (x *index) locate(b *bucket, hash uint64, ref Ref) (at *bucket, slot int) {
	for tag := tagOf(hash); ; b = &x.buckets[b.next] {
		for found := b.match(tag); found != 0; found &= found - 1 {
			if slot = found.first(); b.refs[slot] == ref {
				return b, slot
			}
		}
		if b.next == 0 {
			panic("flow: index lost a ref")
		}
	}
}

// chain finds the last bucket of a home and the one before (the same when the
// home is the last) and counts the chain's buckets.
func (x *index) chain(home *bucket) (before, last *bucket, length int) {
	before, last, length = home, home, 1
	for last.next != 0 {
		before, last = last, &x.buckets[last.next]
		length++
	}
	return before, last, length
}

// extend links an overflow bucket behind one; nil when none is left.
func (x *index) extend(at *bucket) *bucket {
	if x.free == 0 {
		return nil
	}
	b := &x.buckets[x.free]
	at.next, x.free, b.next = x.free, b.next, 0
	x.overflow++
	return b
}
