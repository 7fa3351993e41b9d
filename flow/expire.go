package flow

import (
	"time"

	"github.com/sluice-lb/sluice/packet"
)

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
	n, ahead := 0, 0
	for ; budget > 0; budget-- {
		i, ok := t.wheel.due(t.clock.now)
		if !ok {
			break
		}
		if i == 0 {
			continue
		}
		if ahead == 0 {
			ahead = t.prefetchDue(i, budget)
		}
		ahead--
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

// lookAhead is how many entries of a slot are loaded together: both hashes of
// each fill a batch of hashes.
const lookAhead = packet.BurstSize / 2

// prefetchDue starts to load what looking at entry i and those behind it in its
// slot takes, so that their cache misses overlap: the entries, and the buckets of
// those that end. It returns how many they are.
func (t *Table) prefetchDue(i uint32, budget int) (n int) {
	var refs [packet.BurstSize]Ref
	for ; i != 0 && n < min(budget, lookAhead); i = t.wheel.next(i) {
		refs[n] = MakeRef(Index(i), Request)
		n++
	}
	if n == 1 {
		return n // nothing to overlap with
	}
	t.prefetchEntries(&refs, n)
	var hashes [packet.BurstSize]uint64
	for k, ref := range refs[:n] {
		if index := ref.Index(); int32(t.deadline(t.common(index))-t.clock.now) <= 0 {
			hashes[2*k], hashes[2*k+1] = t.hashes(index)
		}
	}
	t.PrefetchBuckets(&hashes, 2*n)
	return n
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

func (t *Table) rearm(i uint32, e *Common) {
	t.wheel.disarm(i)
	t.wheel.arm(i, t.deadline(e))
}
