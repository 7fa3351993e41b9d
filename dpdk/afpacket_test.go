package dpdk

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

func TestAfPacketOnVeth(t *testing.T) {
	vethPair(t)
	pool := newPool(t, 1023)
	p := attach(t, PortConfig{Name: "wan", Device: "net_af_packet0,iface=dpdk0", Pool: pool})
	info := p.Info()
	assert.Equal(t, packet.MAC{2, 0, 0, 0, 0, 1}, info.MAC)
	assert.Equal(t, "net_af_packet", info.Driver)
	assert.Equal(t, uint16(1500), info.MTU)
	assert.True(t, p.LinkUp())

	start := pool.InUse()
	const frames = 100
	exchange(t, p, rawSocket(t, "peer0"), frames)
	assert.Equal(t, start, pool.InUse())
	s, err := p.Stats()
	require.NoError(t, err)
	assert.Equal(t, uint64(frames), s.RxPackets)
	assert.Equal(t, uint64(frames), s.TxPackets)
}

func TestAfPacketLinkAndMTU(t *testing.T) {
	vethPair(t)
	pool := newPool(t, 1023)
	p := attach(t, PortConfig{Name: "wan", Device: "net_af_packet0,iface=dpdk0", MTU: 1400, Pool: pool})
	link, err := netlink.LinkByName("dpdk0")
	require.NoError(t, err)
	assert.Equal(t, 1400, link.Attrs().MTU)
	assert.Equal(t, uint16(1400), p.Info().MTU)
	require.NoError(t, p.SetMTU(1300))
	link, err = netlink.LinkByName("dpdk0")
	require.NoError(t, err)
	assert.Equal(t, 1300, link.Attrs().MTU)
	assert.Equal(t, uint16(1300), p.Info().MTU)
	assert.ErrorContains(t, p.SetMTU(9000), "buffers hold")

	assert.True(t, p.AllMulticast())
	assert.Equal(t, uint32(1), allmulti(t, link.Attrs().Index), "the kernel counts our socket")
	assert.Zero(t, link.Attrs().Promisc, "not asked for")

	peer, err := netlink.LinkByName("peer0")
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetDown(peer))
	assert.Eventually(t, func() bool { return !p.LinkUp() }, 10*time.Second, 5*time.Millisecond)
	require.NoError(t, netlink.LinkSetUp(peer))
	assert.Eventually(t, p.LinkUp, 10*time.Second, 5*time.Millisecond)
}

func TestAfPacketTooManyQueues(t *testing.T) {
	vethPair(t)
	pool := newPool(t, 1023)
	c := PortConfig{Name: "wan", Device: "net_af_packet0,iface=dpdk0", Queues: 2, RSSKey: make([]byte, 40), Pool: pool}
	_, err := Attach(c)
	require.ErrorContains(t, err, "qpairs=2")
	c.Device = "net_af_packet0,iface=dpdk0,qpairs=2"
	p := attach(t, c)
	assert.Equal(t, uint16(2), p.Info().Queues)
	assert.Nil(t, p.Info().RSSKey, "the kernel's fanout is no Toeplitz")
	hasLimit(t, p, "fanout")
}

func TestAfPacketAttachAndCloseLeaveNothing(t *testing.T) {
	vethPair(t)
	pool := newPool(t, 1023)
	link, err := netlink.LinkByName("dpdk0")
	require.NoError(t, err)
	before := fds(t)
	for i := range 20 {
		p, err := Attach(PortConfig{Name: "wan", Device: "net_af_packet0,iface=dpdk0", Promiscuous: true, Pool: pool})
		require.NoError(t, err, i)
		require.NoError(t, p.Close(), i)
	}
	assert.Equal(t, before, fds(t))
	assert.Zero(t, pool.InUse())
	assert.Zero(t, allmulti(t, link.Attrs().Index))
	after, err := netlink.LinkByName("dpdk0")
	require.NoError(t, err)
	assert.Zero(t, after.Attrs().Promisc)
}

// A worker must not wait for an interface that is down.
func TestAfPacketTransmitsWhileDown(t *testing.T) {
	for _, name := range []string{"dpdk0", "peer0"} {
		t.Run(name, func(t *testing.T) {
			vethPair(t)
			pool := newPool(t, 1023)
			p := attach(t, PortConfig{Name: "wan", Device: "net_af_packet0,iface=dpdk0", Pool: pool})
			link, err := netlink.LinkByName(name)
			require.NoError(t, err)
			require.NoError(t, netlink.LinkSetDown(link))
			require.Eventually(t, func() bool { return !p.LinkUp() }, 10*time.Second, 5*time.Millisecond)
			var burst packet.Burst
			for range 40 { // more than the 512 frames of the ring
				fill(t, pool, &burst, 64)
				p.Tx(0, &burst, 64)
			}
			assert.Zero(t, pool.InUse())
			require.NoError(t, netlink.LinkSetUp(link))
			require.Eventually(t, p.LinkUp, 10*time.Second, 5*time.Millisecond)
			assertTransmits(t, p, pool)
		})
	}
}

// assertTransmits sends a frame until the peer has it: first the driver flushes
// what was left in its ring, of which the peer's socket may lose some.
func assertTransmits(t *testing.T, p *Port, pool *Pool) {
	peer := rawSocket(t, "peer0")
	want, buf := testFrame(7), make([]byte, 2048)
	assert.Eventually(t, func() bool {
		b := pool.Alloc()
		b.SetLen(len(want))
		copy(b.Bytes(), want)
		p.Tx(0, &packet.Burst{b}, 1)
		for {
			n, _, err := unix.Recvfrom(peer, buf, unix.MSG_DONTWAIT)
			if err != nil || bytes.Equal(want, buf[:n]) {
				return err == nil
			}
		}
	}, 10*time.Second, 5*time.Millisecond)
}

// Frames of 9000 bytes and a tag, in one buffer each, both ways.
func TestAfPacketJumboFrames(t *testing.T) {
	vethPair(t)
	for _, name := range []string{"dpdk0", "peer0"} {
		link, err := netlink.LinkByName(name)
		require.NoError(t, err)
		require.NoError(t, netlink.LinkSetMTU(link, 9000))
	}
	pool, err := NewPool("jumbo", 1023, 9000+linkOverhead, 32, -1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	p := attach(t, PortConfig{Name: "wan", Device: "net_af_packet0,iface=dpdk0", MTU: 9000, Pool: pool})
	assert.Equal(t, uint16(9000), p.Info().MTU)
	peer, buf := rawSocket(t, "peer0"), make([]byte, 65536)
	for _, size := range []int{60, 1514, 2048, 4096, 9000, 9014} {
		want := frameOf(size, byte(size))
		_, err := unix.Write(peer, want)
		require.NoError(t, err)
		require.Equal(t, want, receive(t, p))
		transmit(t, p, want)
		require.Equal(t, want, readIncoming(t, peer, buf), size)
	}
	tagged := append(frameOf(14, 0)[:12], "\x81\x00\x00\x07"+testEther...)
	tagged = append(tagged, frameOf(9000, 7)...)
	_, err = unix.Write(peer, tagged)
	require.NoError(t, err)
	var burst packet.Burst
	require.Eventually(t, func() bool { return p.Rx(0, &burst) == 1 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, tagged, burst[0].Bytes(), "the tag is where it was")
	assert.Equal(t, 1, burst[0].Segments())
	pool.Free(&burst, 1)
	assert.ErrorContains(t, p.SetMTU(9400), "buffers hold")
	require.NoError(t, p.SetMTU(1500))
	require.NoError(t, p.SetMTU(9000), "the rings have not shrunk")
	assert.Equal(t, 9000, linkMTU(t, "dpdk0"))
}

func TestAfPacketRingsLimitTheMTU(t *testing.T) {
	vethPair(t)
	pool, err := NewPool("large", 511, 9018, 32, -1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	c := PortConfig{Name: "wan", Device: "net_af_packet0,iface=dpdk0,framesz=2048", MTU: 9000, Pool: pool}
	_, err = Attach(c)
	require.ErrorContains(t, err, "framesz=9088,blocksz=290816,framecnt=512")
	c.Device = "net_af_packet0,iface=dpdk0,framesz=9088,blocksz=290816,framecnt=512"
	p, err := Attach(c)
	require.NoError(t, err, "what the error said")
	require.NoError(t, p.Close())
	assert.Equal(t, 1500, linkMTU(t, "dpdk0"), "the interface has its own back")

	c.Device, c.MTU = "net_af_packet0,iface=dpdk0", 1500
	p = attach(t, c)
	assert.ErrorContains(t, p.SetMTU(9000), "attach it again")
}
