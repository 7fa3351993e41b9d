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
func (t *Table) Expire(budget int, expired func(Index, *Common)) int {
	n := 0
	for ; budget > 0; budget-- {
		i, ok := t.wheel.due(t.clock.now)
		if !ok {
			break
		}
		if i == 0 {
			continue
		}
		e := t.common(Index(i))
		if int32(t.deadline(e)-t.clock.now) > 0 {
			t.rearm(i, e)
			continue
		}
		expired(Index(i), e)
		t.Remove(Index(i))
		n++
	}
	return n
}

// deadline is the tick in which the flow has been silent for too long.
func (t *Table) deadline(e *Common) uint32 { return e.LastSeen + t.life[e.State] }

func (t *Table) rearm(i uint32, e *Common) {
	t.wheel.disarm(i)
	t.wheel.arm(i, t.deadline(e))
}
