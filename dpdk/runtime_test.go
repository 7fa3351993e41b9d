package dpdk

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMemoryLimit(t *testing.T) {
	for available, want := range map[int]int64{0: 256, 100: 256, 1024: 256, 4000: 1000, 8192: 2048, 1 << 20: 2048} {
		assert.Equal(t, want<<20, memoryLimit(available), "%d MB available", available)
	}
}

// TestSetProcessors: one for each worker and housekeeping CPU, two to spare, never less
// than there are already.
func TestSetProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(2)
	defer runtime.GOMAXPROCS(before)
	SetProcessors(1, 1)
	assert.Equal(t, 4, runtime.GOMAXPROCS(0))
	SetProcessors(1, 0)
	assert.Equal(t, 4, runtime.GOMAXPROCS(0), "not lowered")
	SetProcessors(4, 2)
	assert.Equal(t, 8, runtime.GOMAXPROCS(0))
}
