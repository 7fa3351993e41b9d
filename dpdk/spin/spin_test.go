package spin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestBucketHoldsItsGap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Uint64Range(0, 1<<60).Draw(t, "ns")
		b := Bucket(ns)
		assert.Less(t, ns, Bound(b))
		if b > 0 {
			assert.GreaterOrEqual(t, ns, Bound(b-1))
		}
	})
}

func TestRunCountsAllOfTheTime(t *testing.T) {
	var counts [Buckets]uint64
	longest := Run(20*time.Millisecond, 0, &counts)
	var least, most time.Duration
	for b, n := range counts {
		if n > 0 && b > 0 {
			least += time.Duration(n * Bound(b-1))
			most += time.Duration(n * Bound(b))
		}
	}
	assert.LessOrEqual(t, least, 20*time.Millisecond+longest)
	assert.GreaterOrEqual(t, most, 20*time.Millisecond)
	assert.NotZero(t, counts[Bucket(uint64(longest))])
}

func TestTurnIsTheLeastGap(t *testing.T) {
	var counts [Buckets]uint64
	const turn = 100 * time.Microsecond
	Run(20*time.Millisecond, turn, &counts)
	for b, n := range counts[:Bucket(uint64(turn))] {
		assert.Zero(t, n, "gaps of %d ns", b)
	}
	var turns uint64
	for _, n := range counts {
		turns += n
	}
	assert.NotZero(t, turns)
	assert.LessOrEqual(t, turns, uint64(20*time.Millisecond/turn)+1)
}
