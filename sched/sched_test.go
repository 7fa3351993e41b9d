package sched

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/service"
)

// weighted makes the list that results from adding backends 1, 2, ... of these
// weights: newest first.
func weighted(weights ...uint32) []Backend {
	list := make([]Backend, len(weights))
	for i, w := range weights {
		list[len(weights)-1-i] = Backend{service.BackendID(i + 1), w}
	}
	return list
}

// bed is one service and one worker.
type bed struct {
	t      *testing.T
	name   string
	plan   service.Picker
	gen    uint64
	cursor service.Cursor
}

func newBed(t *testing.T, name string, list []Backend) *bed {
	b := &bed{t: t, name: name}
	b.become(list)
	return b
}

func (b *bed) become(list []Backend) {
	b.gen++
	plan, err := Rebuild(b.plan, b.name, list, b.gen)
	require.NoError(b.t, err)
	b.plan = plan
}

func (b *bed) picks(n int) []int {
	got := []int{}
	for range n {
		got = append(got, int(b.plan.Pick(&b.cursor, nil, service.FlowKey{})))
	}
	return got
}

func TestRegistry(t *testing.T) {
	assert.Equal(t, []string{"rr", "wrr"}, Names())
	assert.True(t, Known(Default))
	_, err := Build("fastest", weighted(1), 1)
	assert.EqualError(t, err, "scheduler: fastest: unknown: choose one of rr, wrr")
	for _, name := range Names() {
		plan, err := Build(name, weighted(1), 1)
		assert.NoError(t, err)
		assert.NotNil(t, plan)
	}
}

// The sequences of a service whose backends 1, 2, ... were added in that order.
func TestSequences(t *testing.T) {
	for _, c := range []struct {
		name    string
		sched   string
		weights []uint32
		want    []int
	}{
		{"rr newest first", "rr", []uint32{1, 1, 1}, []int{3, 2, 1, 3, 2, 1, 3}},
		{"rr ignores weight", "rr", []uint32{1, 2, 9}, []int{3, 2, 1, 3, 2, 1}},
		{"rr skips weight 0", "rr", []uint32{1, 0, 1, 0}, []int{3, 1, 3, 1}},
		{"rr only the oldest", "rr", []uint32{1, 0, 0}, []int{1, 1, 1}},
		{"rr all of weight 0", "rr", []uint32{0, 0}, []int{0, 0}},
		{"rr one", "rr", []uint32{7}, []int{1, 1, 1}},
		{"rr none", "rr", nil, []int{0, 0}},
		{"wrr 1 2 3", "wrr", []uint32{1, 2, 3}, []int{3, 2, 1, 3, 3, 2, 3, 2, 1, 3, 3, 2, 3, 2, 1}},
		{"wrr equal", "wrr", []uint32{1, 1, 1}, []int{3, 2, 1, 3, 2, 1}},
		{"wrr 5 5: divisor 5", "wrr", []uint32{5, 5}, []int{2, 1, 2, 1}},
		{"wrr skips weight 0", "wrr", []uint32{1, 0, 2}, []int{3, 1, 3, 3, 1, 3, 3, 1}},
		{"wrr all of weight 0", "wrr", []uint32{0, 0}, []int{0, 0}},
		{"wrr one", "wrr", []uint32{65535}, []int{1, 1, 1}},
		{"wrr none", "wrr", nil, []int{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, newBed(t, c.sched, weighted(c.weights...)).picks(len(c.want)))
		})
	}
}

// Adding one by one through Rebuild, without a flow in between, is the same as
// adding all at once through Build.
func TestAddedOneByOne(t *testing.T) {
	b := newBed(t, "wrr", weighted(1))
	b.become(weighted(1, 2))
	b.become(weighted(1, 2, 3))
	assert.Equal(t, []int{3, 2, 1, 3, 3, 2, 3, 2, 1, 3}, b.picks(10))
}

func TestRRPositionSurvivesChanges(t *testing.T) {
	ones := func(ids ...service.BackendID) (list []Backend) {
		for _, id := range ids {
			list = append(list, Backend{id, 1})
		}
		return list
	}
	full := ones(4, 3, 2, 1)
	for _, c := range []struct {
		name  string
		picks int // before the change
		to    [][]Backend
		want  []int
	}{
		{"the last chosen removed", 2, [][]Backend{ones(4, 2, 1)}, []int{2, 1, 4}},
		{"the first removed while chosen last", 1, [][]Backend{ones(3, 2, 1)}, []int{3, 2, 1, 3}},
		{"the end removed while chosen last", 4, [][]Backend{ones(4, 3, 2)}, []int{4, 3, 2}},
		{"the next removed", 1, [][]Backend{ones(4, 2, 1)}, []int{2, 1, 4}},
		{"it and its predecessor removed", 2, [][]Backend{ones(2, 1)}, []int{2, 1}},
		{"it, then its predecessor, then the next", 2, [][]Backend{ones(4, 2, 1), ones(2, 1), ones(1)}, []int{1, 1}},
		{"added at the head", 2, [][]Backend{ones(5, 4, 3, 2, 1)}, []int{2, 1, 5, 4}},
		{"removed and added again", 2, [][]Backend{ones(4, 2, 1), ones(3, 4, 2, 1)}, []int{2, 1, 3, 4}},
		{"all removed and others added", 2, [][]Backend{nil, ones(6, 5)}, []int{6, 5}},
		{"weight to 0 while chosen last", 2, [][]Backend{{{4, 1}, {3, 0}, {2, 1}, {1, 1}}}, []int{2, 1, 4, 2}},
		{"next to weight 0 and back", 2, [][]Backend{{{4, 1}, {3, 1}, {2, 0}, {1, 1}}, full}, []int{2, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t, "rr", full)
			b.picks(c.picks)
			for _, list := range c.to {
				b.become(list)
			}
			assert.Equal(t, c.want, b.picks(len(c.want)))
		})
	}
}

// Expected sequences worked out by hand from the rule for changes: start again
// at the head; the threshold is capped at the new top, or aligned to the step.
func TestWRRStateAtChanges(t *testing.T) {
	b := newBed(t, "wrr", weighted(1, 2, 3))
	require.Equal(t, []int{3, 2, 1, 3, 3}, b.picks(5)) // threshold now 2, behind 3
	b.become(weighted(1, 2, 4))                        // top 4: threshold 2 stays, from the head
	assert.Equal(t, []int{3, 2, 3, 2, 1, 3, 3, 3, 2}, b.picks(9))

	b = newBed(t, "wrr", weighted(4, 6)) // step 2: 1st added top 1 (step 4), then aligned to 1
	assert.Equal(t, []int{2, 1, 2, 2, 1, 2, 1, 2, 2, 1, 2, 1}, b.picks(12))
	b.become(weighted(4, 2)) // was at threshold 1 behind the end; top 3
	assert.Equal(t, []int{2, 1, 1, 2, 1, 1, 2, 1}, b.picks(8))
	b.become(weighted(0, 0))
	assert.Equal(t, []int{0, 0}, b.picks(2))
	b.become(weighted(2, 1)) // threshold 0 starts at the top
	assert.Equal(t, []int{1, 2, 1, 1}, b.picks(4))
}

func TestAnotherScheduler(t *testing.T) {
	b := newBed(t, "rr", weighted(1, 2, 3))
	b.picks(2)
	b.name = "wrr" // all backends are there already: a full cycle
	b.become(weighted(1, 2, 3))
	assert.Equal(t, []int{3, 3, 2, 3, 2, 1, 3}, b.picks(7))
	b.name = "rr"
	b.become(weighted(1, 2, 3))
	assert.Equal(t, []int{3, 2, 1, 3}, b.picks(4))
}

// A cursor of the service that had the id before knows nothing of this one.
func TestCursorOfAnotherServiceStartsAnew(t *testing.T) {
	for _, name := range Names() {
		b := newBed(t, name, weighted(1, 1, 1))
		b.picks(2)
		b.plan = nil
		b.become(weighted(1, 1, 1))
		assert.Equal(t, []int{3, 2, 1}, b.picks(3), name)
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	for _, name := range Names() {
		b := newBed(t, name, weighted(1, 2, 3, 0, 5))
		old := b.plan
		b.become(weighted(1, 2, 3, 4))
		var turn int
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			turn++
			if turn%10 == 0 {
				b.cursor = service.Cursor{}
				old.Pick(&b.cursor, nil, service.FlowKey{})
			}
			b.plan.Pick(&b.cursor, nil, service.FlowKey{})
		}), name)
	}
}
