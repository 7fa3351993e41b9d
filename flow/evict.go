package flow

// Evict makes room for a new flow of a family when Insert fails because the
// table is full: it ends one embryonic flow, if it finds one, and says whether
// it did. ended is called before; it must not insert, remove or change a state.
// Without need, that is when the family's entries and the index both have room,
// it does nothing.
//
// Embryonic is what a stranger gets with one packet and a forged address: a TCP
// flow in SYN_RECV, and a UDP flow that has seen no more than one packet of its
// client and none of its backend. No other flow is ever evicted. Where one-way
// modes hide the handshake's middle, the client's ACK ends SYN_RECV all the same.
//
// It looks at no more than budget entries, in the order in which they lie in
// memory, going on where it stopped before (the hand of a clock). So an entry just
// filled is the last to be looked at again: in a flood the oldest go first. Of
// a table with a share p of embryonic flows, it takes 1/p looks on average,
// and a budget of 64 fails in (1-p)^64 of all cases: one in 27 with 1 in 20.
func (t *Table) Evict(f Family, budget int, ended func(Index, *Common)) bool {
	if !t.crowded(f) {
		return false
	}
	for range min(budget, t.pools[f].size) {
		i := t.hands[f]
		if t.hands[f] = i + 1; int(i.position()) == t.pools[f].size {
			t.hands[f] = MakeIndex(f, 1)
		}
		if t.embryonic(i) {
			ended(i, t.common(i))
			t.Remove(i)
			return true
		}
	}
	return false
}

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
