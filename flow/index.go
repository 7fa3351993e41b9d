package flow

import "math/bits"

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
	tags [2]uint64 // eight tags of 16 bits, slot 0 lowest
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

// match marks the slots that hold tag. Without a branch: in both words the
// lanes equal to the tag become zero lanes and those become ones.
func (b *bucket) match(tag uint64) slotSet {
	const low15 = 0x7fff_7fff_7fff_7fff
	want := tag * 0x0001_0001_0001_0001
	lo, hi := b.tags[0]^want, b.tags[1]^want
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
	shift := uint(slot&3) * 16
	word := &b.tags[slot>>2&1]
	*word = *word&^(0xffff<<shift) | tag<<shift
	b.refs[slot&(bucketSlots-1)] = ref
}

func (b *bucket) tag(slot int) uint64 { return b.tags[slot>>2&1] >> (uint(slot&3) * 16) & 0xffff }

func (b *bucket) empty() bool { return b.tags[0]|b.tags[1] == 0 }

// candidate is the ref of the first slot of the home bucket whose tag fits, 0
// when there is none. Without a branch.
func (x *index) candidate(hash uint64) Ref {
	b := &x.buckets[x.home(hash)]
	found := b.match(tagOf(hash))
	any := (uint64(found) | -uint64(found)) >> 63
	return b.refs[found.first()] & -Ref(any)
}

// probe walks all slots whose tag fits a hash.
type probe struct {
	bucket *bucket
	tag    uint64
	found  slotSet
}

func (x *index) probe(hash uint64) probe {
	b, tag := &x.buckets[x.home(hash)], tagOf(hash)
	return probe{b, tag, b.match(tag)}
}

// next is the next candidate, 0 after the last.
func (x *index) next(p *probe) Ref {
	for p.found == 0 {
		if p.bucket.next == 0 {
			return 0
		}
		p.bucket = &x.buckets[p.bucket.next]
		p.found = p.bucket.match(p.tag)
	}
	ref := p.bucket.refs[p.found.first()]
	p.found &= p.found - 1
	return ref
}

// put adds a ref; false when it needs an overflow bucket and none is left.
func (x *index) put(hash uint64, ref Ref) bool {
	_, last, length := x.chain(hash)
	free := x.buckets[last].match(0)
	if free == 0 {
		if last = x.extend(last); last == 0 {
			return false
		}
		length++
		free = x.buckets[last].match(0)
	}
	x.buckets[last].set(free.first(), tagOf(hash), ref)
	x.longest = max(x.longest, length)
	return true
}

// remove takes a ref out that was put with hash. The chain's last slot moves to
// its place, so that chains shrink as they grew.
func (x *index) remove(hash uint64, ref Ref) {
	at, slot := x.locate(hash, ref)
	before, last, _ := x.chain(hash)
	tail := &x.buckets[last]
	used := ^tail.match(0) & allSlots
	mover := used.first()
	x.buckets[at].set(slot, tail.tag(mover), tail.refs[mover])
	tail.set(mover, 0, 0)
	if before != last && tail.empty() {
		x.buckets[before].next = 0
		tail.next = x.free
		x.free = last
		x.overflow--
	}
}

const allSlots slotSet = 0x0003_0003_0003_0003

// locate finds the bucket and the slot of a ref. It is there, or the table is
// corrupt and the worker ends.
func (x *index) locate(hash uint64, ref Ref) (at uint32, slot int) {
	at = x.home(hash)
	for {
		b := &x.buckets[at]
		for found := b.match(tagOf(hash)); found != 0; found &= found - 1 {
			if slot = found.first(); b.refs[slot] == ref {
				return at, slot
			}
		}
		if at = b.next; at == 0 {
			panic("flow: index lost a ref")
		}
	}
}

// chain finds the last bucket of a hash and the one before (the same when the
// home is the last) and counts the chain's buckets.
func (x *index) chain(hash uint64) (before, last uint32, length int) {
	last, length = x.home(hash), 1
	before = last
	for next := x.buckets[last].next; next != 0; next = x.buckets[last].next {
		before, last = last, next
		length++
	}
	return before, last, length
}

// extend links an overflow bucket behind bucket at; 0 when none is left.
func (x *index) extend(at uint32) uint32 {
	i := x.free
	if i != 0 {
		x.free = x.buckets[i].next
		x.buckets[i].next = 0
		x.buckets[at].next = i
		x.overflow++
	}
	return i
}
