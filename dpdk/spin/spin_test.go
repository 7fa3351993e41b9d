package spin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sluice-lb/sluice/worker/gap"
)

// The loop in C counts by the classes of package gap: the bounds of what it
// counted are around the time that it took.
func TestRunCountsAllOfTheTime(t *testing.T) {
	counts, longest := Run(20*time.Millisecond, 0)
	var least, most time.Duration
	for class, n := range counts {
		if n > 0 && class > 0 {
			least += time.Duration(n * gap.Bound(class-1))
			most += time.Duration(n * gap.Bound(class))
		}
	}
	assert.LessOrEqual(t, least, 20*time.Millisecond+longest)
	assert.GreaterOrEqual(t, most, 20*time.Millisecond)
	assert.NotZero(t, counts[gap.Class(uint64(longest))])
	for _, n := range counts[gap.Class(uint64(longest))+1:] {
		assert.Zero(t, n)
	}
}

func TestTurnIsTheLeastGap(t *testing.T) {
	const turn = 100 * time.Microsecond
	counts, _ := Run(20*time.Millisecond, turn)
	for b, n := range counts[:gap.Class(uint64(turn))] {
		assert.Zero(t, n, "gaps of %d ns", b)
	}
	var turns uint64
	for _, n := range counts {
		turns += n
	}
	assert.NotZero(t, turns)
	assert.LessOrEqual(t, turns, uint64(20*time.Millisecond/turn)+1)
}
