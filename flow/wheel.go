package flow

import "time"

// Tick is the table's unit of time.
const Tick = time.Second / 8

const (
	// wheelSlots ticks are 1024 seconds: further than ESTABLISHED's time-out, so
	// that few entries are looked at before their time.
	wheelSlots = 1 << 13
	// slotMark in prev: the entry is the first of that slot.
	slotMark = 1 << 31
)

// wheel says which entries to look at in which tick. Slot n holds those to
// look at in the one tick among the next wheelSlots that is n modulo
// wheelSlots; later ones wait in the farthest slot and are looked at again.
// It never holds an entry later than asked, but may hold it earlier: whoever
// looks, arms anew.
type wheel struct {
	links
	heads []uint32 // first entry of each slot
	tick  uint32   // whose slot is being emptied; those before are empty
}

// arm puts an entry, which is in no list, into the slot of the deadline.
func (w *wheel) arm(i, deadline uint32) { w.link(i, deadline, w.cold(Index(i))) }

// link is arm, c being the entry's cold part.
func (w *wheel) link(i, deadline uint32, c *cold) {
	ahead := int32(deadline - w.tick) // signed: ticks may wrap
	ahead = min(max(ahead, 0), wheelSlots-1)
	slot := (w.tick + uint32(ahead)) % wheelSlots
	first := w.heads[slot]
	c.wheelNext, c.wheelPrev = first, slot|slotMark
	if first != 0 {
		w.setPrev(first, i)
	}
	w.heads[slot] = i
}

// disarm takes an entry out of its slot.
func (w *wheel) disarm(i uint32) {
	c := w.cold(Index(i))
	next, prev := c.wheelNext, c.wheelPrev
	if next != 0 {
		w.setPrev(next, prev)
	}
	if prev&slotMark != 0 {
		w.heads[prev&^slotMark] = next
	} else {
		w.setNext(prev, next)
	}
}

// due is an entry to look at by now, still in its slot: disarm it before the
// next call. It is 0 after a step over an empty slot; ok is false when nothing
// is left to do until time moves on.
func (w *wheel) due(now uint32) (i uint32, ok bool) {
	behind := int32(now - w.tick)
	if behind < 0 {
		return 0, false
	}
	if behind >= wheelSlots {
		w.tick = now - (wheelSlots - 1) // after a stall: once around is enough
	}
	if i = w.heads[w.tick%wheelSlots]; i == 0 {
		w.tick++
	}
	return i, true
}
