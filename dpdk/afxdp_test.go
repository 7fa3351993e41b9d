package dpdk

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// attachXDP skips where the kernel has no AF_XDP.
func attachXDP(t *testing.T, c PortConfig) *Port {
	t.Helper()
	fd, err := unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("kernel without AF_XDP (CONFIG_XDP_SOCKETS): %v", err)
	}
	require.NoError(t, unix.Close(fd))
	return attach(t, c)
}

// The program redirects frames before the kernel behind it sees them: there is
// nothing that it could answer.
func TestAfXDPOnVeth(t *testing.T) {
	vethPair(t)
	pool := newPool(t, 8191)
	behind := rawSocket(t, "dpdk0")
	p := attachXDP(t, PortConfig{Name: "wan", Device: "net_af_xdp0,iface=dpdk0", Pool: pool})
	assert.Equal(t, packet.MAC{2, 0, 0, 0, 0, 1}, p.Info().MAC)
	hasLimit(t, p, "no link state")
	start := pool.InUse()
	const frames = 100
	exchange(t, p, rawSocket(t, "peer0"), frames)
	assert.Zero(t, pending(behind), "the kernel has seen nothing")
	s, err := p.Stats()
	require.NoError(t, err)
	assert.Equal(t, uint64(frames), s.RxPackets)
	assert.Equal(t, uint64(frames), s.TxPackets)
	assert.LessOrEqual(t, pool.InUse(), start+frames, "transmitted ones are freed at the next burst")
}

// Frames of a queue without a socket pass to the kernel, which may answer: that
// takes asking for, and the kernel is silenced there as for net_af_packet.
func TestAfXDPQueueWithoutASocket(t *testing.T) {
	namespace(t)
	addVeth(t, "0", 2)
	pool := newPool(t, 8191)
	behind, peer := rawSocket(t, "dpdk0"), rawSocket(t, "peer0")
	c := PortConfig{Name: "wan", Device: "net_af_xdp0,iface=dpdk0", Pool: pool}
	_, err := Attach(c)
	require.ErrorContains(t, err, "has 2 receive queues, the device 1")
	require.ErrorContains(t, err, "ethtool -L dpdk0 combined 1")
	c.Device += ",start_queue=0"
	p, err := Attach(c)
	require.NoError(t, err)
	got := sendMany(t, p, peer, 1)
	passed := pending(behind)
	assert.Equal(t, manyFrames, got+passed)
	assert.NotZero(t, got)
	assert.NotZero(t, passed)
	require.NoError(t, p.Close())
	assert.Zero(t, pool.InUse(), "those kept are off the account")
}

const manyFrames = 64

// sendMany sends frames of many flows and counts what the port's queues get.
func sendMany(t *testing.T, p *Port, peer int, queues uint16) (got int) {
	t.Helper()
	for i := range manyFrames {
		frame := udpFrame(uint16(i))
		_, err := unix.Write(peer, frame)
		require.NoError(t, err)
	}
	var burst packet.Burst
	idle := 0
	require.Eventually(t, func() bool {
		n := 0
		for q := range queues {
			k := testFrames(p, &burst, p.Rx(q, &burst))
			p.pool.Free(&burst, k)
			n += k
		}
		got += n
		if idle++; n > 0 {
			idle = 0
		}
		return got == manyFrames || idle > 100
	}, 10*time.Second, time.Millisecond)
	return got
}

func TestAfXDPLimits(t *testing.T) {
	vethPair(t)
	pool := newPool(t, 8191)
	c := PortConfig{Name: "wan", Device: "net_af_xdp0,iface=dpdk0", Queues: 2, RSSKey: make([]byte, 40), Pool: pool}
	_, err := Attach(c)
	require.ErrorContains(t, err, "queue_count=2")
	require.ErrorContains(t, err, "ethtool -L dpdk0")
	c.Device += ",queue_count=2"
	_, err = Attach(c)
	require.ErrorContains(t, err, "queue count", "a veth has one queue unless asked")

	large, err := NewPool("xdp", 511, 9018, 32, -1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, large.Close()) })
	_, err = Attach(PortConfig{Name: "wan", Device: "net_af_xdp0,iface=dpdk0", Pool: large})
	require.ErrorContains(t, err, "net_af_packet here")
	_, err = Attach(PortConfig{Name: "wan", Device: "net_af_xdp0,iface=dpdk0", MTU: 9000, Pool: large})
	require.Error(t, err)
	link, err := netlink.LinkByName("dpdk0")
	require.NoError(t, err)
	assert.False(t, link.Attrs().Xdp.Attached, "no program is left")
}
