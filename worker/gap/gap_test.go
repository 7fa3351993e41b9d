package gap

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// durations spread over all powers of two, those beyond the limit included.
func durations(t *rapid.T) (out []uint64) {
	one := rapid.Custom(func(t *rapid.T) uint64 {
		power := rapid.IntRange(0, 40).Draw(t, "power")
		return rapid.Uint64Range(1<<power>>1, 1<<power).Draw(t, "ns")
	})
	return rapid.SliceOfN(one, 1, 200).Draw(t, "durations")
}

func filled(list []uint64) *Histogram {
	h := new(Histogram)
	for i, ns := range list {
		h.Add(time.Duration(ns), time.Duration(i))
	}
	return h
}

func TestClassHoldsItsDuration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Uint64Range(0, limit).Draw(t, "ns")
		class := Class(ns)
		assert.Less(t, class, Classes)
		assert.Less(t, ns, Bound(class))
		if class > 0 {
			assert.GreaterOrEqual(t, ns, Bound(class-1))
		}
		assert.LessOrEqual(t, Bound(class)-ns, max(ns/16, 1), "a class is narrow")
	})
	assert.Equal(t, Classes-1, Class(limit))
	assert.Equal(t, Classes-1, Class(math.MaxUint64))
}

// A histogram says of durations what the sorted list of them says.
func TestHistogramAgainstSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := durations(t)
		h := filled(list)
		longest := slices.Max(list)
		first := slices.Index(list, longest)
		assert.EqualValues(t, len(list), h.Count())
		assert.EqualValues(t, longest, h.Longest())
		assert.EqualValues(t, first, h.LongestAt(), "the first of equals")
		var sum uint64
		for _, ns := range list {
			sum += ns
		}
		assert.EqualValues(t, sum, h.Sum())

		slices.Sort(list)
		share := rapid.Float64Range(0.001, 1).Draw(t, "share")
		rank := max(int(math.Ceil(share*float64(len(list)))), 1)
		exact := list[rank-1]
		got := uint64(h.Quantile(share))
		assert.GreaterOrEqual(t, got, exact)
		if exact <= limit {
			assert.LessOrEqual(t, got-exact, max(exact/16, 1))
		}
		power := rapid.IntRange(0, limitBits-1).Draw(t, "power")
		below, _ := slices.BinarySearch(list, 1<<power)
		assert.EqualValues(t, below, h.Below(power), "2^%d ns", power)
	})
}

func TestEmptyHistogram(t *testing.T) {
	h := new(Histogram)
	assert.Zero(t, h.Count())
	assert.Zero(t, h.Quantile(0.5))
	assert.Zero(t, h.Longest())
}

// What is read is what was published last, and nothing later.
func TestPublished(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, p := new(Histogram), new(Published)
		for range 3 {
			for _, ns := range durations(t) {
				h.Add(time.Duration(ns), h.Sum())
			}
			h.Publish(p)
			was := *h
			h.Add(time.Hour, h.Sum())
			assert.Equal(t, &was, p.Read())
			assert.Equal(t, uint64(1)<<(Classes/sub-1), h.fresh, "of an hour")
		}
	})
}

func TestAddClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := durations(t), durations(t)
		sum, other := filled(a), filled(b)
		sum.AddClasses(&other.counts, other.Longest())
		both := filled(slices.Concat(a, b))
		assert.Equal(t, both.counts, sum.counts)
		assert.Equal(t, both.Longest(), sum.Longest())
	})
}

func TestNothingAllocates(t *testing.T) {
	h, p := new(Histogram), new(Published)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		h.Add(time.Duration(h.sum*3+1), 0)
		h.Publish(p)
	}))
}
