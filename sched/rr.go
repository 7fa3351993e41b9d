package sched

import "github.com/sluice-lb/sluice/service"

// rr is round robin: each backend of weight above 0 in turn. The cursor's Last
// is the backend chosen last (0: the head of the list), Pos its place, from 1.
//
// The position is a backend, not a number: what comes after it is next, whatever
// was added or removed elsewhere. When it is removed itself, the position moves
// to its predecessor, so that the next is again the one after it.
type rr struct {
	generation uint64
	ids        []service.BackendID // newest first
	next       []int32             // next[p]: place, from 1, of the first to choose behind place p; 0: none
	past       history[removal]
}

// removal is what becomes of the position when backend leaves the list.
type removal struct {
	backend     service.BackendID
	predecessor service.BackendID // nearest that stayed; 0: head of the list
}

func newRR(prev service.Picker, backends []Backend, generation uint64) service.Picker {
	p := &rr{generation: generation, past: history[removal]{born: generation}}
	for _, b := range backends {
		p.ids = append(p.ids, b.ID)
	}
	p.next = successors(backends)
	if old, ok := prev.(*rr); ok {
		p.past = old.past.extend(generation, removals(old.ids, p.ids))
	}
	return p
}

// successors computes rr.next.
func successors(backends []Backend) []int32 {
	n := len(backends)
	next := make([]int32, n+1)
	first := int32(0)
	for i := n - 1; i >= 0; i-- {
		if backends[i].Weight > 0 {
			first = int32(i + 1)
		}
	}
	next[n] = first
	for i := n - 1; i >= 0; i-- {
		next[i] = next[i+1]
		if backends[i].Weight > 0 {
			next[i] = int32(i + 1)
		}
	}
	return next
}

// removals lists what is in the old list and not in the new one.
func removals(was, is []service.BackendID) []removal {
	stays := make(map[service.BackendID]bool, len(is))
	for _, id := range is {
		stays[id] = true
	}
	var gone []removal
	predecessor := service.BackendID(0)
	for _, id := range was {
		if stays[id] {
			predecessor = id
			continue
		}
		gone = append(gone, removal{id, predecessor})
	}
	return gone
}

// Pick implements service.Picker.
func (p *rr) Pick(c *service.Cursor, _ service.Loads, _ service.FlowKey) service.BackendID {
	if c.Plan != p.generation {
		p.resume(c)
	}
	place := p.next[c.Pos]
	if place == 0 {
		return 0
	}
	c.Pos, c.Last = place, p.ids[place-1]
	return c.Last
}

// resume moves a cursor of an older plan to this one.
func (p *rr) resume(c *service.Cursor) {
	if c.Plan < p.past.born {
		c.Last = 0
	}
	for _, step := range p.past.since(c.Plan) {
		if c.Last == step.what.backend {
			c.Last = step.what.predecessor
		}
	}
	c.Plan, c.Pos = p.generation, 0
	for i, id := range p.ids {
		if id == c.Last {
			c.Pos = int32(i + 1)
			return
		}
	}
	c.Last = 0
}
