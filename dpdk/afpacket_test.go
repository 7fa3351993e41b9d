package dpdk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// vethPair makes a pair dpdk0 - peer0 in a network namespace of its own, in
// which the rest of the test runs; the kernel removes both with the thread.
func vethPair(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: makes a network namespace and a veth pair, opens packet sockets")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	ns, err := netns.New()
	require.NoError(t, err)
	t.Cleanup(func() { ns.Close() })
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "dpdk0"
	mac, err := net.ParseMAC("02:00:00:00:00:01")
	require.NoError(t, err)
	attrs.HardwareAddr = mac
	require.NoError(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "peer0"}))
	for _, name := range []string{"dpdk0", "peer0"} {
		// No address, no router solicitation: nothing but the test's frames.
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0))
		link, err := netlink.LinkByName(name)
		require.NoError(t, err)
		require.NoError(t, netlink.LinkSetUp(link))
	}
}

// rawSocket is a kernel packet socket on an interface, with a time limit on
// reads.
func rawSocket(t *testing.T, iface string) int {
	t.Helper()
	link, err := net.InterfaceByName(iface)
	require.NoError(t, err)
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}))
	limit := unix.NsecToTimeval(int64(10 * time.Second))
	require.NoError(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit))
	return fd
}

func testFrame(i int) []byte {
	frame := bytes.Repeat([]byte{byte(i)}, 60+13*i)
	copy(frame, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5}) // IEEE 802 experimental EtherType
	return frame
}

func TestAfPacketOnVeth(t *testing.T) {
	vethPair(t)
	pool := newPool(t, 1023)
	p := attach(t, PortConfig{Name: "wan", Device: "net_af_packet0,iface=dpdk0", Pool: pool})
	info := p.Info()
	assert.Equal(t, packet.MAC{2, 0, 0, 0, 0, 1}, info.MAC)
	assert.Equal(t, "net_af_packet", info.Driver)
	assert.Equal(t, uint16(1500), info.MTU)
	assert.True(t, p.LinkUp())

	peer := rawSocket(t, "peer0")
	start := pool.InUse()
	const frames = 100
	for i := range frames {
		_, err := unix.Write(peer, testFrame(i))
		require.NoError(t, err)
	}
	// The worker sends each frame back with its first payload byte changed.
	onWorker(t, func() error { return echo(p, frames) })
	buf := make([]byte, 2048)
	for i := range frames {
		want := testFrame(i)
		want[14]++
		n := readIncoming(t, peer, buf)
		require.Equal(t, want, buf[:n])
	}
	assert.Equal(t, start, pool.InUse())
	s, err := p.Stats()
	require.NoError(t, err)
	assert.Equal(t, uint64(frames), s.RxPackets)
	assert.Equal(t, uint64(frames), s.TxPackets)
}

// readIncoming skips what the socket itself sent.
func readIncoming(t *testing.T, fd int, buf []byte) int {
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		require.NoError(t, err)
		if from.(*unix.SockaddrLinklayer).Pkttype != unix.PACKET_OUTGOING {
			return n
		}
	}
}

func echo(p *Port, frames int) error {
	var burst packet.Burst
	deadline := time.Now().Add(10 * time.Second)
	for done := 0; done < frames; {
		n := p.Rx(0, &burst)
		for i, b := range burst[:n] {
			if want := testFrame(done + i); !bytes.Equal(want, b.Bytes()) {
				return fmt.Errorf("frame %d: % x", done+i, b.Bytes())
			}
			b.Bytes()[14]++
		}
		if sent := p.Tx(0, &burst, n); sent != n {
			return fmt.Errorf("sent %d of %d", sent, n)
		}
		done += n
		if time.Now().After(deadline) {
			return fmt.Errorf("received %d of %d", done, frames)
		}
	}
	return nil
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

// allmulti is how many ask the kernel for all multicast of an interface.
func allmulti(t *testing.T, index int) uint32 {
	const iflaAllmulti = 61 // linux/if_link.h
	raw, err := syscall.NetlinkRIB(syscall.RTM_GETLINK, syscall.AF_UNSPEC)
	require.NoError(t, err)
	messages, err := syscall.ParseNetlinkMessage(raw)
	require.NoError(t, err)
	for _, m := range messages {
		if m.Header.Type != syscall.RTM_NEWLINK || binary.NativeEndian.Uint32(m.Data[4:]) != uint32(index) {
			continue
		}
		attrs, err := syscall.ParseNetlinkRouteAttr(&m)
		require.NoError(t, err)
		for _, a := range attrs {
			if a.Attr.Type == iflaAllmulti {
				return binary.NativeEndian.Uint32(a.Value)
			}
		}
	}
	t.Skip("this kernel does not tell IFLA_ALLMULTI (before 6.0)")
	return 0
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
}

// fds is how many file descriptors the process has.
func fds(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
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
