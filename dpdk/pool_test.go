package dpdk

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

func TestEmptyPoolReturnsNilAndRecovers(t *testing.T) {
	pool := newPool(t, 255)
	require.Equal(t, 255, pool.Size())
	for range 3 {
		var all []*packet.Buf
		for b := pool.Alloc(); b != nil; b = pool.Alloc() {
			all = append(all, b)
		}
		require.Len(t, all, 255)
		assert.Equal(t, 255, pool.InUse())
		for len(all) > 0 {
			var burst packet.Burst
			n := copy(burst[:], all)
			all = all[n:]
			pool.Free(&burst, n)
		}
		assert.Zero(t, pool.InUse())
	}
}

func TestEmptyPoolStarvesRxAndRecovers(t *testing.T) {
	pool := newPool(t, 127)
	p := attach(t, PortConfig{Name: "n", Device: "net_null7", Pool: pool})
	var held, burst packet.Burst
	n := p.Rx(0, &held)
	require.Equal(t, packet.BurstSize, n)
	assert.Zero(t, p.Rx(0, &burst), "63 are left: less than a burst")
	pool.Free(&held, n)
	n = p.Rx(0, &burst)
	assert.Equal(t, packet.BurstSize, n)
	pool.Free(&burst, n)
}

func TestPoolWithBuffersOutStaysOpen(t *testing.T) {
	pool := newPool(t, 63+32)
	var burst packet.Burst
	burst[0] = pool.Alloc()
	assert.ErrorContains(t, pool.Close(), "1 buffers are in use")
	pool.Free(&burst, 1)
}

func TestPoolErrors(t *testing.T) {
	_, err := NewPool("huge", 1<<20, 2048, 0, -1)
	assert.ErrorContains(t, err, "raise EAL memory")
	_, err = NewPool("", 63, 2048, 0, -1)
	assert.ErrorContains(t, err, "1 to 25 characters")
	_, err = NewPool("tiny", 63, 10, 0, -1)
	assert.ErrorContains(t, err, "use 60 to")
	_, err = NewPool("cache", 63, 2048, 63, -1)
	assert.ErrorContains(t, err, "two thirds")
	pool, err := NewPool("twice", 63, 2048, 0, -1)
	require.NoError(t, err)
	_, err = NewPool("twice", 63, 2048, 0, -1)
	assert.ErrorContains(t, err, "name of its own")
	require.NoError(t, pool.Close())
}
