package dpdk

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

func TestRingPortHasTwoLargeRings(t *testing.T) {
	pool := newPool(t, 8191)
	p, err := NewRingPort(PortConfig{Name: "big", Pool: pool}, 4096)
	require.NoError(t, err)
	var out, in packet.Burst
	var sent [][]byte
	for range 40 { // more than net_ring's own 1024
		sent = append(sent, fill(t, pool, &out, 64)...)
		require.Equal(t, 64, p.Inject(&out, 64))
	}
	assert.Zero(t, p.Collect(&in), "nothing transmitted yet")
	for i := range 40 {
		require.Equal(t, 64, p.Rx(0, &in))
		assert.Equal(t, sent[64*i], in[0].Bytes())
		require.Equal(t, 64, p.Tx(0, &in, 64))
	}
	assert.Zero(t, p.Rx(0, &in), "what is transmitted does not come back")
	for i := range 39 {
		require.Equal(t, 64, p.Collect(&in))
		assert.Equal(t, sent[64*i+63], in[63].Bytes())
		pool.Free(&in, 64)
	}
	require.NoError(t, p.Close(), "with 64 frames left")
	assert.Zero(t, pool.InUse())
	again, err := NewRingPort(PortConfig{Name: "big", Pool: pool}, 64)
	require.NoError(t, err, "its names are free again")
	require.NoError(t, again.Close())
}

func TestRingPortRefusesBadSize(t *testing.T) {
	_, err := NewRingPort(PortConfig{Name: "odd", Pool: newPool(t, 511)}, 1000)
	require.ErrorContains(t, err, "power of two")
}
