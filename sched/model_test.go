package sched

import (
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/service"
)

// model is what Linux does, written as the facts state it: one list that changes
// under the scheduler, told of every change at once.
type model interface {
	changed(list []Backend, removed service.BackendID, predecessor service.BackendID)
	pick(list []Backend) service.BackendID
}

// rrModel turns the list until the last chosen is at its end.
type rrModel struct{ last service.BackendID }

func (m *rrModel) changed(_ []Backend, removed, predecessor service.BackendID) {
	if removed != 0 && removed == m.last {
		m.last = predecessor
	}
}

func (m *rrModel) pick(list []Backend) service.BackendID {
	at := slices.IndexFunc(list, func(b Backend) bool { return b.ID == m.last })
	turned := slices.Concat(list[at+1:], list[:at+1])
	for _, b := range turned {
		if b.Weight > 0 {
			m.last = b.ID
			return b.ID
		}
	}
	return 0
}

// wrrModel writes the rest of the cycle down and reads from it.
type wrrModel struct {
	cw   int64
	rest []choice
}

type choice struct {
	cw int64
	id service.BackendID
}

func gcdAndTop(list []Backend) (gcd, top int64) {
	g, most := new(big.Int), int64(0)
	for _, b := range list {
		g.GCD(nil, nil, g, big.NewInt(int64(b.Weight)))
		most = max(most, int64(b.Weight))
	}
	gcd = max(g.Int64(), 1)
	return gcd, most - (gcd - 1)
}

func (m *wrrModel) changed(list []Backend, _, _ service.BackendID) {
	gcd, top := gcdAndTop(list)
	if m.cw > top || m.cw == 0 {
		m.cw = top
	} else if gcd > 1 {
		m.cw = m.cw/gcd*gcd + 1
	}
	m.write(list, m.cw)
}

// write fills rest with the walks from threshold cw down to the last.
func (m *wrrModel) write(list []Backend, cw int64) {
	gcd, _ := gcdAndTop(list)
	m.rest = nil
	for ; cw > 0; cw -= gcd {
		for _, b := range list {
			if int64(b.Weight) >= cw {
				m.rest = append(m.rest, choice{cw, b.ID})
			}
		}
	}
}

func (m *wrrModel) pick(list []Backend) service.BackendID {
	if len(m.rest) == 0 {
		_, top := gcdAndTop(list)
		m.write(list, top)
	}
	if len(m.rest) == 0 {
		return 0
	}
	first := m.rest[0]
	m.rest, m.cw = m.rest[1:], first.cw
	return first.id
}

var models = map[string]func() model{
	"rr":  func() model { return &rrModel{} },
	"wrr": func() model { return &wrrModel{} },
}

// Random lives of a service: whatever the changes, and however many of them
// come between two flows, worker and model choose alike.
func TestLikeModel(t *testing.T) {
	for name, newModel := range models {
		t.Run(name, func(t *testing.T) { rapid.Check(t, func(t *rapid.T) { liveLikeModel(t, name, newModel()) }) })
	}
}

func liveLikeModel(t *rapid.T, name string, m model) {
	weight := rapid.OneOf(rapid.Uint32Range(0, 3), rapid.SampledFrom([]uint32{0, 4, 6, 10, 100}))
	var list []Backend
	var plan service.Picker
	var cursor service.Cursor
	var next service.BackendID
	for gen := uint64(1); gen <= 40; gen++ {
		list = slices.Clone(list)
		removed, predecessor := service.BackendID(0), service.BackendID(0)
		at := rapid.IntRange(0, max(len(list)-1, 0)).Draw(t, "at")
		switch op := rapid.IntRange(0, 3).Draw(t, "op"); {
		case op == 0 && len(list) > 0:
			removed = list[at].ID
			if at > 0 {
				predecessor = list[at-1].ID
			}
			list = slices.Delete(list, at, at+1)
		case op == 1 && len(list) > 0:
			list[at].Weight = weight.Draw(t, "weight")
		default:
			next++
			list = slices.Insert(list, 0, Backend{next, weight.Draw(t, "weight")})
		}
		var err error
		plan, err = Rebuild(plan, name, list, gen)
		require.NoError(t, err)
		m.changed(list, removed, predecessor)
		for range rapid.SampledFrom([]int{0, 0, 0, 0, 1, 2, 7}).Draw(t, "picks") {
			require.Equal(t, m.pick(list), plan.Pick(&cursor, nil, service.FlowKey{}), "%v", list)
		}
	}
}

// Over one cycle, wherever it starts, shares are exactly the weights.
func TestSharesEqualWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Uint32Range(0, 60), 1, 8).Draw(t, "weights")
		name := rapid.SampledFrom(Names()).Draw(t, "scheduler")
		plan, err := Build(name, weighted(weights...), 1)
		require.NoError(t, err)
		want, cycle := map[service.BackendID]int{}, 0
		for i, w := range weights {
			gcd, _ := gcdAndTop(weighted(weights...))
			share := int(w) / int(gcd)
			if name == "rr" {
				share = min(share, 1)
			}
			if share > 0 {
				want[service.BackendID(i+1)] = share
				cycle += share
			}
		}
		var cursor service.Cursor
		for range rapid.IntRange(0, 50).Draw(t, "before") {
			plan.Pick(&cursor, nil, service.FlowKey{})
		}
		got := map[service.BackendID]int{}
		for range cycle {
			got[plan.Pick(&cursor, nil, service.FlowKey{})]++
		}
		require.Equal(t, want, got)
	})
}

// More changes than a plan remembers: a position is lost at worst, never the
// guarantee that something valid is chosen.
func TestBeyondMemory(t *testing.T) {
	for _, name := range Names() {
		list := weighted(1, 2, 3)
		plan, _ := Build(name, list, 1)
		var idle service.Cursor
		plan.Pick(&idle, nil, service.FlowKey{})
		for gen := uint64(2); gen < 10*remembered; gen++ {
			id := service.BackendID(gen + 3)
			list = append([]Backend{{id, uint32(gen % 7)}}, list[:2]...)
			plan, _ = Rebuild(plan, name, list, gen)
		}
		for range 20 {
			got := plan.Pick(&idle, nil, service.FlowKey{})
			require.True(t, slices.ContainsFunc(list, func(b Backend) bool { return b.ID == got && b.Weight > 0 }), name)
		}
	}
}
