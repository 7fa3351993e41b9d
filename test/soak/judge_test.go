package main

import (
	"maps"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

func healthy() *state {
	st := &state{numbers: map[string]float64{"packets uncounted, worker 0": 0}, texts: map[string]string{"services": "a\nb", "kernel state": "x"}}
	for _, r := range rules {
		st.numbers[r.name] = 1000
		if r.zero {
			st.numbers[r.name] = 0
		}
	}
	return st
}

func TestNothingLeaked(t *testing.T) {
	assert.NoError(t, leaks(compare(healthy(), healthy())))
}

// Each thing that is watched fails the soak by its name when there is more of it
// at the end than allowed, or when nobody has noted it.
func TestEveryLeakIsNamed(t *testing.T) {
	for name := range healthy().numbers {
		more, missing := healthy(), healthy()
		more.numbers[name] += 1 << 20
		assert.ErrorContains(t, leaks(compare(healthy(), more)), name)
		delete(missing.numbers, name)
		if _, isRule := rulesByName()[name]; isRule {
			assert.ErrorContains(t, leaks(compare(healthy(), missing)), name)
		}
	}
	for name := range healthy().texts {
		other := healthy()
		other.texts = maps.Clone(other.texts)
		other.texts[name] += "\nanother"
		rows := compare(healthy(), other)
		assert.ErrorContains(t, leaks(rows), name)
		assert.Contains(t, table(rows), "+ another")
	}
}

func rulesByName() map[string]rule {
	out := map[string]rule{}
	for _, r := range rules {
		out[r.name] = r
	}
	return out
}

// What grows within its allowance is no leak; fewer buffers are one.
func TestAllowances(t *testing.T) {
	end := healthy()
	end.numbers["threads"] += 2
	end.numbers["goroutines"]--
	assert.NoError(t, leaks(compare(healthy(), end)))
	end.numbers["packet buffers in use"]--
	assert.ErrorContains(t, leaks(compare(healthy(), end)), "packet buffers")
}

// A failure is explained by what went on at its site while it lasted, and by
// nothing else.
func TestExplanations(t *testing.T) {
	key := api.Key{Protocol: "tcp", Address: netip.MustParseAddr("10.1.0.100"), Port: 80}
	other := key
	other.Port = 81
	h, before := new(harms), time.Now()
	time.Sleep(time.Millisecond)
	end := h.begin(key, "it rained")
	assert.Equal(t, "it rained", h.explain(key, before, time.Now()))
	time.Sleep(time.Millisecond)
	assert.Equal(t, "it rained", h.explain(key, time.Now(), time.Now()), "it still does")
	end()
	time.Sleep(time.Millisecond)
	assert.Empty(t, h.explain(key, time.Now(), time.Now()))
	assert.Empty(t, h.explain(other, before, time.Now()))
	assert.Empty(t, h.explain(key, before, before))
}

func TestVerdictOfTally(t *testing.T) {
	site := &site{name: "here", key: api.Key{Protocol: "tcp", Port: 80}}
	h := new(harms)
	tally := newTally(h)
	tally.record("tcp", site, time.Now(), 10, nil)
	require.NoError(t, tally.verdict())
	end := h.begin(site.key, "it rained")
	tally.record("tcp", site, time.Now(), 0, assert.AnError)
	end()
	require.NoError(t, tally.verdict())
	assert.Contains(t, tally.report(), "1 while it rained")
	time.Sleep(time.Millisecond)
	tally.record("tcp", site, time.Now(), 0, assert.AnError)
	assert.ErrorContains(t, tally.verdict(), "here: "+assert.AnError.Error())
	tally = newTally(h)
	tally.done("reload", assert.AnError)
	assert.ErrorContains(t, tally.verdict(), "none of 1 succeeded")
}
