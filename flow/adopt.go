package flow

import (
	"fmt"
	"unsafe"

	"github.com/sluice-lb/sluice/service"
)

// Adopter is how a table adopts flows.
type Adopter struct {
	// Backends are this process's ids by the file's: Saved.Translate. Tables may
	// share it.
	Backends []service.BackendID

	// Take and Take6 say whether the flow shall be this table's; nil: all. The entry
	// is a copy with this process's backend id. What the tuples determine, such as
	// checksum deltas, may be computed anew.
	Take  func(*Entry4) bool
	Take6 func(*Entry6) bool

	// Adopted is told about each flow that is now in the table; nil: nobody is.
	Adopted func(Index, *Common)
}

// chunk entries are read from the file at a time.
const chunk = 64

// Adoption takes flows out of a saved file into a table that may be in use
// already: what came since wins over what is adopted. Counters, state and age
// of a flow go on; its next hops are resolved again. The index, the wheel, and
// with the reply tuples the local ports, are those of the table.
type Adoption struct {
	Adopter
	Report Report // up to now

	table *Table
	saved *Saved

	family Family
	first  int // position behind the last chunk read
	at, n  int // within the chunk: next entry, entries
	hot4   [chunk]Entry4
	hot6   [chunk]Entry6
	cold   [chunk]cold
	tick   uint32 // the writer's table would have now
}

// Adopt begins to adopt; Step does the work. For the worker of the table, as
// everything that follows.
func (t *Table) Adopt(s *Saved, how Adopter) *Adoption {
	return &Adoption{Adopter: how, table: t, saved: s, first: 1}
}

// Step looks at no more than budget entries in use, or the equivalent in free
// ones (as Scan does), and says whether that was all. Reading the file is two
// system calls for every 64 entries. An error ends the adoption; what was
// adopted stays.
func (a *Adoption) Step(budget int) (done bool, err error) {
	a.tick = a.saved.tick()
	for left := budget * freeCost; left > 0; left-- {
		if a.at == a.n {
			if done, err = a.load(); done || err != nil {
				return done, err
			}
		}
		c := a.common()
		if c.Flags != 0 {
			a.Report[a.consider(c, &a.cold[a.at])]++
			left -= freeCost - 1
		}
		a.at++
	}
	return false, nil
}

// load reads the next chunk; done when there is none.
func (a *Adoption) load() (done bool, err error) {
	for a.first > a.saved.Cap(a.family) {
		if a.family++; a.family == numFamilies {
			a.family-- // done for good
			return true, nil
		}
		a.first = 1
	}
	n := min(chunk, a.saved.Cap(a.family)-a.first+1)
	if err := a.read(a.first, n); err != nil {
		return false, fmt.Errorf("adopt flow table: %s: read entries %d to %d: %w: go on without the rest", a.saved.path, a.first, a.first+n-1, err)
	}
	a.first += n
	a.at, a.n = 0, n
	return false, nil
}

// read copies n entries from position first on. They are checked and used as
// copies: nothing that happens to the file can change them in between, or raise
// a signal.
func (a *Adoption) read(first, n int) error {
	p := &a.saved.plan
	hot, cold, size := p.hot4, p.cold4, int(unsafe.Sizeof(Entry4{}))
	buffer := bytesOf(&a.hot4)
	if a.family == IPv6 {
		hot, cold, size = p.hot6, p.cold6, int(unsafe.Sizeof(Entry6{}))
		buffer = bytesOf(&a.hot6)
	}
	if _, err := a.saved.reader.ReadAt(buffer[:n*size], int64(hot+first*size)); err != nil {
		return err
	}
	const coldSize = int(unsafe.Sizeof(a.cold[0]))
	_, err := a.saved.reader.ReadAt(bytesOf(&a.cold)[:n*coldSize], int64(cold+first*coldSize))
	return err
}

func (a *Adoption) common() *Common {
	if a.family == IPv6 {
		return &a.hot6[a.at].Common
	}
	return &a.hot4[a.at].Common
}

// consider adopts one entry, or says why not.
func (a *Adoption) consider(c *Common, old *cold) Outcome {
	if bad := a.damage(c, old); bad != Adopted {
		return bad
	}
	if a.silent(c) >= a.table.life[c.State] {
		return Ended
	}
	if int(c.Backend) >= len(a.Backends) || a.Backends[c.Backend] == 0 {
		return BackendGone
	}
	c.Backend = a.Backends[c.Backend]
	c.Sides[Request].Hop, c.Sides[Reply].Hop, c.NetEpoch = 0, 0, 0
	i, why := a.insert()
	if i == 0 {
		return why
	}
	a.goOn(i, c, old)
	return Adopted
}

// silent is for how many ticks no packet of the flow came.
func (a *Adoption) silent(c *Common) uint32 { return a.tick - c.LastSeen }

// insert puts the current entry into the table.
func (a *Adoption) insert() (Index, Outcome) {
	t := a.table
	if a.family == IPv6 {
		e := &a.hot6[a.at]
		if a.Take6 != nil && !a.Take6(e) {
			return 0, NotTaken
		}
		i, _ := t.Insert6(*e)
		req, rep := e.Tuple(Request), e.Tuple(Reply)
		return i, whyNot(i, func() bool { return t.Has6(&req) || e.hasReply() && t.Has6(&rep) })
	}
	e := &a.hot4[a.at]
	if a.Take != nil && !a.Take(e) {
		return 0, NotTaken
	}
	i, _ := t.Insert(*e)
	return i, whyNot(i, func() bool { return t.Has(e.Tuple(Request)) || e.hasReply() && t.Has(e.Tuple(Reply)) })
}

func whyNot(i Index, known func() bool) Outcome {
	switch {
	case i != 0:
		return Adopted
	case known():
		return Duplicate
	}
	return NoRoom
}

// goOn gives the new flow the past of the old. (A process killed right here
// leaves a flow that has just begun.)
func (a *Adoption) goOn(i Index, c *Common, old *cold) {
	t := a.table
	e := t.common(i)
	e.LastSeen = t.clock.now - a.silent(c)
	past := t.cold(i)
	past.created = t.clock.now - (a.tick - old.created)
	past.Counters = sum(c, old.Counters)
	t.rearm(uint32(i), e)
	if a.Adopted != nil {
		a.Adopted(i, e)
	}
}
