package flow

// Insert adds a flow, seen now, with zero counters. Its reply tuple is entered
// only if it has one (RepAddrs or RepPorts not 0). LastSeen, Flags and counters
// are the table's to set. It fails when the table is full or a tuple is already
// there; who knows that none is uses Add.
func (t *Table) Insert(e Entry4) (Index, bool) {
	req, rep := e.Tuple(Request), e.Tuple(Reply)
	reqHash, repHash := t.Hash(req), t.Hash(rep)
	if t.Find(reqHash, req) != 0 || e.hasReply() && (rep == req || t.Find(repHash, rep) != 0) {
		return 0, false
	}
	e.fresh()
	return t.Add(&e, reqHash, repHash)
}

// Insert6 is Insert for an IPv6 flow.
func (t *Table) Insert6(e Entry6) (Index, bool) {
	req, rep := e.Tuple(Request), e.Tuple(Reply)
	reqHash, repHash := t.Hash6(&req), t.Hash6(&rep)
	if t.Find6(reqHash, &req) != 0 || e.hasReply() && (rep == req || t.Find6(repHash, &rep) != 0) {
		return 0, false
	}
	e.fresh()
	return t.Add6(&e, reqHash, repHash)
}

// Add is Insert for a caller that has looked: neither tuple is in the table,
// they differ, and these are their hashes (that of the reply is ignored if the flow
// has none), and its flags and counters are 0. So it fails only when the table is
// full. The entry is copied.
//
// It is long because it is what a flood pays: as calls of addAnyhow and what that
// calls, which do the same, it takes half as many instructions again.
func (t *Table) Add(e *Entry4, reqHash, repHash uint64) (Index, bool) {
	p, x := &t.pools[IPv4], &t.index
	i := Index(p.first)
	req, rep := &x.buckets[x.home(reqHash)], &x.none
	if e.hasReply() {
		rep = &x.buckets[x.home(repHash)]
	}
	reqFree, repFree := req.free(), rep.free()
	if i == 0 || reqFree == 0 || repFree == 0 || req == rep {
		return t.addAnyhow(e, reqHash, repHash)
	}
	at, c := &t.hot4[i], &t.cold4[i]
	req.set(reqFree.first(), tagOf(reqHash), MakeRef(i, Request))
	if rep != &x.none {
		rep.set(repFree.first(), tagOf(repHash), MakeRef(i, Reply))
	}
	p.first = c.wheelNext
	p.free--
	*at = *e
	at.LastSeen = t.clock.now
	*c = cold{created: t.clock.now}
	t.mark(&at.Common, flagUsed)
	t.wheel.link(uint32(i), t.clock.now+t.life[e.State], c)
	t.prefetch(Index(p.first)) // for the next new flow
	return i, true
}

// addAnyhow is Add in all cases, those too in which there is no room.
func (t *Table) addAnyhow(e *Entry4, reqHash, repHash uint64) (Index, bool) {
	i := t.admit(IPv4, reqHash, repHash, e.hasReply())
	if i == 0 {
		return 0, false
	}
	at := &t.hot4[i]
	*at = *e
	t.begin(i, &at.Common)
	return i, true
}

// Add6 is Add for an IPv6 flow.
func (t *Table) Add6(e *Entry6, reqHash, repHash uint64) (Index, bool) {
	i := t.admit(IPv6, reqHash, repHash, e.hasReply())
	if i == 0 {
		return 0, false
	}
	at := &t.hot6[i.position()]
	*at = *e
	t.begin(i, &at.Common)
	return i, true
}

// admit takes an entry and puts its tuples into the index; 0 when there is no
// room.
func (t *Table) admit(f Family, reqHash, repHash uint64, replies bool) Index {
	p := &t.pools[f]
	i := p.get()
	if i != 0 && !t.enter(Index(i), reqHash, repHash, replies) {
		p.put(i)
		return 0
	}
	return Index(i)
}

// enter puts both tuples into the index, or none.
func (t *Table) enter(i Index, reqHash, repHash uint64, replies bool) bool {
	if !t.index.put(reqHash, MakeRef(i, Request)) {
		return false
	}
	if replies && !t.index.put(repHash, MakeRef(i, Reply)) {
		t.index.remove(reqHash, MakeRef(i, Request))
		return false
	}
	return true
}

// fresh clears what is the table's to set.
func (c *Common) fresh() {
	c.Flags = 0
	for d := range c.Sides {
		c.Sides[d].clear()
	}
}

// begin makes the flow live whose tuples and settings are in its entry.
func (t *Table) begin(i Index, e *Common) {
	e.LastSeen = t.clock.now
	c := t.cold(i)
	*c = cold{created: t.clock.now}
	t.wheel.link(uint32(i), t.deadline(e), c)
	t.mark(e, flagUsed)
}

// Remove ends a flow of either family. An index that is not in use is ignored.
func (t *Table) Remove(i Index) {
	if t.common(i).Flags&flagUsed != 0 {
		req, rep := t.hashes(i)
		t.end(i, req, rep)
	}
}

// end takes a flow, whose tuples have these hashes, out of wheel and index and frees
// its entry.
func (t *Table) end(i Index, req, rep uint64) {
	t.wheel.disarm(uint32(i))
	t.index.remove(req, MakeRef(i, Request))
	if i.IPv6() {
		e := &t.hot6[i.position()]
		t.leave(i, &e.Common, rep, e.hasReply())
		*e = Entry6{}
	} else {
		e := &t.hot4[i]
		t.leave(i, &e.Common, rep, e.hasReply())
		*e = Entry4{}
	}
	t.pools[i.Family()].put(uint32(i))
}

// leave takes a flow's replies out of the index and marks its entry as free, which
// comes before it is cleared: see mark.
func (t *Table) leave(i Index, e *Common, rep uint64, replies bool) {
	if replies {
		t.index.remove(rep, MakeRef(i, Reply))
	}
	t.mark(e, 0)
}
