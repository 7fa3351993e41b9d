package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A link that is away for a moment stays up for the twin; one that is away for
// longer goes down once, and is up at the first look that sees it.
func TestCarrierOutlastsAMoment(t *testing.T) {
	c := carrier{up: true}
	for range 3 {
		for range awayLooks - 1 {
			assert.False(t, c.look(false))
		}
		assert.False(t, c.look(true))
	}
	changes := 0
	for range 3 * awayLooks {
		if c.look(false) {
			changes++
		}
	}
	assert.Equal(t, 1, changes)
	assert.False(t, c.up)
	assert.True(t, c.look(true))
	assert.True(t, c.up)
	assert.False(t, c.look(true))
	down := carrier{}
	assert.False(t, down.look(false), "from the beginning")
}
