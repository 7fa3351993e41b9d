package flow

import "time"

// Handshake is for how long a flow that has only begun is safe: as long as TCP
// waits before it repeats a SYN or a SYN+ACK (RFC 6298, 2.1). One that was silent
// for longer has lost a packet or its client. Longer would let a flood keep more
// clients out, who are refused while all that has begun is younger.
const Handshake = time.Second

// Evict makes room for a new flow of a family when Insert fails because the
// table is full: it ends one embryonic flow, if it finds one that was silent for more
// than Handshake, and says whether it did. ended is called before; it must not
// insert, remove or change a state. Without need, that is when the family's entries
// and the index both have room, it does nothing.
//
// Embryonic is what a stranger gets with one packet and a forged address: a TCP
// flow in SYN_RECV, and a UDP flow that has seen no more than one packet of its
// client and none of its backend. No other flow is ever evicted. Where one-way
// modes hide the handshake's middle, the client's ACK ends SYN_RECV all the same.
//
// It looks at no more than budget entries, in the order in which they lie in
// memory, going on where it stopped before (the hand of a clock). So an entry just
// filled is the last to be looked at again: in a flood the oldest go first. Of
// a table with a share p of flows that may go, it takes 1/p looks on average,
// and a budget of 64 fails in (1-p)^64 of all cases: one in 27 with 1 in 20. When
// it has looked at all and found none, it does not look again before there can be.
func (t *Table) Evict(f Family, budget int, ended func(Index, *Common)) bool {
	h := &t.hands[f]
	if !t.crowded(f) || h.rests(t.clock.now) {
		return false
	}
	for range min(budget, t.pools[f].size) {
		i := t.look(f)
		if t.embryonic(i) && h.mayGo(t.common(i).LastSeen, t.clock.now) {
			ended(i, t.common(i))
			t.Remove(i)
			h.passed = 0
			return true
		}
		if h.passed == t.pools[f].size {
			if h.rest(); h.rests(t.clock.now) {
				return false
			}
		}
	}
	return false
}

// handshakeTicks is how many ticks after the one in which it was last seen an
// embryonic flow may go.
const handshakeTicks = uint32(Handshake/Tick) + 1

// hand is where eviction looks in a family's entries.
type hand struct {
	at     Index  // to look at next
	passed int    // entries since one was evicted, or it rested
	oldest uint32 // tick: no embryonic flow there was last seen before
	until  uint32 // tick: none may go before
}

// look moves the hand on and returns the entry that it passes.
func (t *Table) look(f Family) Index {
	h := &t.hands[f]
	if h.passed == 0 {
		h.oldest = t.clock.now // those that begin behind the hand are younger
	}
	h.passed++
	i := h.at
	if h.at = i + 1; int(i.position()) == t.pools[f].size {
		h.at = MakeIndex(f, 1)
	}
	return i
}

// mayGo says whether an embryonic flow was silent for long enough, and notes when
// it was last seen if not.
func (h *hand) mayGo(seen, now uint32) bool {
	if now-seen >= handshakeTicks {
		return true
	}
	if int32(seen-h.oldest) < 0 {
		h.oldest = seen
	}
	return false
}

// rest: all were passed. Flows that have begun since, or moved since, are younger
// than the oldest, and so are those that were open.
func (h *hand) rest() { h.until, h.passed = h.oldest+handshakeTicks, 0 }

// rests is false at any other time than the short one that rest meant, even when
// ticks have wrapped.
func (h *hand) rests(now uint32) bool { return h.until-now-1 < handshakeTicks }

// crowded says whether an insert may fail for want of room. A flow takes up to
// two overflow buckets of the index.
func (t *Table) crowded(f Family) bool {
	s := t.Stats()
	return t.pools[f].free == 0 || s.OverflowCap-s.Overflow < 2
}

func (t *Table) embryonic(i Index) bool {
	switch t.common(i).State { // of a free entry StateNone
	case StateSynReceived:
		return true
	case StateUDP:
		c := t.Counters(i)
		return c.Packets[Request] <= 1 && c.Packets[Reply] == 0
	}
	return false
}
