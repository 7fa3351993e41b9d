package packet_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/sluice-lb/sluice/packet"
)

// TestVerdictTable: no verdict is without a row, and names are labels.
func TestVerdictTable(t *testing.T) {
	label := regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z]$`)
	seen := map[string]packet.Verdict{}
	for v := packet.Pending; v < packet.NumVerdicts; v++ {
		assert.Regexp(t, label, v.String(), "verdict %d", v)
		assert.NotContains(t, seen, v.String())
		seen[v.String()] = v
		assert.NotEmpty(t, v.Help(), v)
		assert.Equal(t, v == packet.Pending, v.Outcome() == packet.Undecided, v)
		assert.Equal(t, v.Outcome() == packet.Dropped, v.IsDrop(), v)
		assert.Equal(t, v >= packet.DropTruncated, v.IsDrop(), "%v: drops come last", v)
	}
	assert.Equal(t, "invalid", packet.NumVerdicts.String())
	assert.False(t, packet.NumVerdicts.IsDrop())
}

func TestNames(t *testing.T) {
	outcomes := map[string]bool{}
	for o := packet.Undecided; o <= packet.Dropped; o++ {
		outcomes[o.String()] = true
	}
	assert.Len(t, outcomes, 5)
	classes := map[string]bool{}
	for c := range packet.NumKernelClasses {
		classes[c.String()] = true
	}
	assert.Len(t, classes, 3)
}

func TestKernelRings(t *testing.T) {
	k := packet.NewKernelRings(3, 100)
	assert.Len(t, k.From, 3)
	for _, ring := range append(k.From, k.To[:]...) {
		assert.Equal(t, 128, ring.Cap())
	}
	assert.NotSame(t, k.To[0], k.To[1])
}
