package flow

import "time"

// clock counts ticks. It follows the caller's clock, but never back.
type clock struct {
	started bool
	last    time.Duration // what the caller's clock said
	elapsed time.Duration // sum of its steps forward
	now     uint32        // ticks elapsed; wraps after 17 years, which is safe
}

// Advance tells the table the time: on any monotonic clock, the first call
// being the origin. A clock that jumps back is followed from where it landed,
// without the table's time moving. One that jumps ahead ends what would have
// ended on the way; 2^31 ticks (8 years) in one jump are too many.
func (t *Table) Advance(now time.Duration) {
	c := &t.clock
	if c.started && now > c.last {
		c.elapsed += now - c.last
		c.now = uint32(c.elapsed / Tick)
	}
	c.started, c.last = true, now
	if t.file != nil {
		t.file.keepTime(c.now)
	}
}

// Now is the table's time in ticks.
func (t *Table) Now() uint32 { return t.clock.now }

// SetState changes the state of a flow. A longer life is noticed when the wheel
// comes by, a shorter one at once.
func (t *Table) SetState(i Index, s State) {
	e := t.common(i)
	shorter := t.life[s] < t.life[e.State]
	e.State = s
	if shorter {
		t.rearm(uint32(i), e)
	}
}

// TimeLeft is how long the flow lives on if no packet comes.
func (t *Table) TimeLeft(e *Common) time.Duration {
	return time.Duration(max(int32(t.deadline(e)-t.clock.now), 0)) * Tick
}

// Expire removes flows that were silent for too long and returns how many. It
// looks at no more than budget entries and slots of the wheel and goes on there at
// the next call, so that a stall is caught up in slices too. expired is called
// before each removal; it must not insert, remove or change a state.
func (t *Table) Expire(budget int, expired func(Index, *Common)) (n int) {
	for budget > 0 {
		i, ok := t.wheel.due(t.clock.now)
		if !ok {
			break
		}
		if i == 0 {
			budget--
			continue
		}
		looked, ended := t.emptySlot(i, budget, expired)
		budget, n = budget-looked, n+ended
	}
	return n
}

// lookAhead is how many entries of a slot are being loaded at a time.
const lookAhead = 16

// coming is an entry that is being loaded, to be looked at.
type coming struct {
	index    Index
	req, rep uint64 // hashes of its tuples, if it ends
}

// emptySlot looks at entry i of a slot and those behind it, at no more than budget.
// What that takes is loaded on the way, so that cache misses overlap: an entry
// when the list leads to it, the buckets of those that end when half of the entries
// before them are done, for some together: misses of the TLB overlap, too.
func (t *Table) emptySlot(i uint32, budget int, expired func(Index, *Common)) (looked, ended int) {
	var queue [lookAhead]coming
	for met, hashed := 0, 0; looked < budget && (i != 0 || looked < met); {
		if i != 0 {
			queue[met%lookAhead].index = Index(i)
			met++
			i = t.wheel.next(i)
			t.prefetch(Index(i))
		}
		if met-hashed == lookAhead/2 || i == 0 {
			for n := min(met-hashed, lookAhead/4); n > 0; n-- {
				t.prefetchEnd(&queue[hashed%lookAhead])
				hashed++
			}
		}
		if (i == 0 || met-looked == lookAhead) && looked < hashed {
			if t.finish(&queue[looked%lookAhead], expired) {
				ended++
			}
			looked++
		}
	}
	return looked, ended
}

// prefetchEnd starts to load the buckets of an entry that ends.
func (t *Table) prefetchEnd(c *coming) {
	if t.overdue(t.common(c.index)) {
		c.req, c.rep = t.hashes(c.index)
		t.PrefetchBucket(c.req)
		t.PrefetchBucket(c.rep)
	}
}

// finish ends a flow, or finds another slot for it.
func (t *Table) finish(c *coming, expired func(Index, *Common)) (ended bool) {
	e := t.common(c.index)
	if !t.overdue(e) {
		t.rearm(uint32(c.index), e)
		return false
	}
	expired(c.index, e)
	t.end(c.index, c.req, c.rep)
	return true
}

// hashes are those of a flow's tuples.
func (t *Table) hashes(i Index) (req, rep uint64) {
	if i.IPv6() {
		e := t.At6(i)
		request, reply := e.Tuple(Request), e.Tuple(Reply)
		return t.Hash6(&request), t.Hash6(&reply)
	}
	e := t.At(i)
	return t.Hash(e.Tuple(Request)), t.Hash(e.Tuple(Reply))
}

// deadline is the tick in which the flow has been silent for too long.
func (t *Table) deadline(e *Common) uint32 { return e.LastSeen + t.life[e.State] }

func (t *Table) overdue(e *Common) bool { return int32(t.deadline(e)-t.clock.now) <= 0 }

func (t *Table) rearm(i uint32, e *Common) {
	t.wheel.disarm(i)
	t.wheel.arm(i, t.deadline(e))
}
