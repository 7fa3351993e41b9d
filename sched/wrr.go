package sched

import "github.com/sluice-lb/sluice/service"

// wrr is weighted round robin by a threshold ("current weight") that sinks with
// every walk along the list: a walk chooses each backend whose weight reaches
// the threshold, then the threshold sinks by the greatest common divisor of all
// weights, and starts over at the top from the bottom. Over a whole cycle each
// backend is chosen weight/divisor times, interleaved.
//
// The cursor's Weight is the threshold and Pos the place chosen last, from 1
// (0: the head of the list).
type wrr struct {
	generation uint64
	backends   []Backend // newest first
	now        levels
	idle       int32 // threshold of a worker that has not chosen anything yet
	past       history[levels]
}

// levels are the threshold's step and top.
type levels struct {
	step int32 // greatest common divisor of the weights above 0; 1 when there are none
	top  int32 // greatest weight - (step - 1): every backend of that weight reaches it; 0: nothing to choose
}

// settle is what every change of the backends does to the threshold.
func (l levels) settle(threshold int32) int32 {
	if threshold > l.top || threshold == 0 {
		return l.top
	}
	if l.step > 1 {
		return threshold/l.step*l.step + 1
	}
	return threshold
}

func newWRR(prev service.Picker, backends []Backend, generation uint64) service.Picker {
	p := &wrr{generation: generation, backends: append([]Backend{}, backends...)}
	p.past.born = generation
	old, ok := prev.(*wrr)
	var steps []levels
	switch {
	case ok:
		steps = changes(old.backends, backends)
		p.idle, p.past = old.idle, old.past.extend(generation, steps)
	case prev != nil: // another scheduler's backends were all there at once
		steps = []levels{measure(backends)}
	default:
		steps = changes(nil, backends)
	}
	for _, s := range steps {
		p.idle = s.settle(p.idle)
	}
	p.now = measure(backends)
	return p
}

// changes lists the levels after each step from one list to the other: what was
// removed or reweighted at once, then what was added, oldest first. Steps that
// change no level are joined, since settling twice is settling once.
func changes(was, is []Backend) []levels {
	old := make(map[service.BackendID]uint32, len(was))
	for _, b := range was {
		old[b.ID] = b.Weight
	}
	var m meter
	var steps []levels
	edited, kept := false, 0
	for _, b := range is {
		if weight, ok := old[b.ID]; ok {
			kept++
			edited = edited || weight != b.Weight
			m.add(b.Weight)
		}
	}
	if edited || kept < len(was) {
		steps = append(steps, m.levels())
	}
	for i := len(is) - 1; i >= 0; i-- {
		if _, ok := old[is[i].ID]; ok {
			continue
		}
		m.add(is[i].Weight)
		if l := m.levels(); len(steps) == 0 || l != steps[len(steps)-1] {
			steps = append(steps, l)
		}
	}
	return steps
}

// meter computes levels as weights come in.
type meter struct{ gcd, max uint32 }

func (m *meter) add(weight uint32) {
	a, b := m.gcd, weight
	for b != 0 {
		a, b = b, a%b
	}
	m.gcd, m.max = a, max(m.max, weight)
}

func (m *meter) levels() levels {
	step := max(m.gcd, 1)
	return levels{step: int32(step), top: int32(m.max) - int32(step) + 1}
}

func measure(backends []Backend) levels {
	var m meter
	for _, b := range backends {
		m.add(b.Weight)
	}
	return m.levels()
}

// Pick implements service.Picker. It walks the list twice at most: at the top
// threshold there is always something to choose.
func (p *wrr) Pick(c *service.Cursor, _ service.Loads, _ service.FlowKey) service.BackendID {
	if c.Plan != p.generation {
		p.resume(c)
	}
	if p.now.top == 0 {
		return 0
	}
	for {
		for c.Pos < int32(len(p.backends)) {
			b := &p.backends[c.Pos]
			c.Pos++
			if int32(b.Weight) >= c.Weight {
				c.Last = b.ID
				return b.ID
			}
		}
		c.Pos = 0
		c.Weight -= p.now.step
		if c.Weight <= 0 {
			c.Weight = p.now.top
		}
	}
}

// resume moves a cursor of an older plan to this one.
func (p *wrr) resume(c *service.Cursor) {
	if c.Plan < p.past.born {
		c.Weight = p.idle
	} else {
		for _, step := range p.past.since(c.Plan) {
			c.Weight = step.what.settle(c.Weight)
		}
	}
	c.Plan, c.Pos = p.generation, 0
}
