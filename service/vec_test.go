package service

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestVecLikeMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var versions []Vec[int]
		var wants []map[uint32]int
		now, want := Vec[int]{}, map[uint32]int{}
		for range rapid.IntRange(1, 8).Draw(t, "versions") {
			versions, wants = append(versions, now), append(wants, clone(want))
			edit := now.Edit()
			for range rapid.IntRange(0, 5).Draw(t, "sets") {
				i := rapid.Uint32Range(0, 5*chunk).Draw(t, "i")
				value := rapid.Int().Draw(t, "value")
				edit.Set(i, value)
				want[i] = value
				require.Equal(t, value, edit.Get(i))
			}
			now = edit.Done()
		}
		for k, v := range append(versions, now) { // old versions are as they were
			for i := range uint32(6 * chunk) {
				expected := append(wants, want)[k][i]
				if p := v.At(i); p != nil {
					require.Equal(t, expected, *p)
				} else {
					require.Zero(t, expected)
					require.GreaterOrEqual(t, int(i), v.Len())
				}
			}
		}
	})
}

func clone(m map[uint32]int) map[uint32]int {
	out := map[uint32]int{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func TestVecSharesWhatDidNotChange(t *testing.T) {
	a := Vec[int]{}.Set(10*chunk, 1)
	b := a.Set(3*chunk, 2)
	for c := range a.chunks {
		assert.Equal(t, c != 3, a.chunks[c] == b.chunks[c], "chunk %d", c)
	}
	assert.Equal(t, 2, *b.At(3 * chunk))
	assert.Zero(t, *a.At(3 * chunk))
	assert.Zero(t, a.Edit().Get(1<<20))
	same := a.Edit().Done()
	assert.Equal(t, &a.chunks[0], &same.chunks[0], "an edit without changes copies nothing")
}
