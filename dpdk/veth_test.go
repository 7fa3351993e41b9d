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

// namespace puts the rest of the test into a network namespace of its own; the
// kernel removes it with the thread.
func namespace(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: makes a network namespace and interfaces in it, opens packet sockets")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	ns, err := netns.New()
	require.NoError(t, err)
	t.Cleanup(func() { ns.Close() })
}

// vethPair makes a pair dpdk0 - peer0 in a namespace.
func vethPair(t *testing.T) {
	namespace(t)
	addVeth(t, "0", 1)
}

// addVeth makes a pair dpdkN - peerN with that many queues each, both up.
func addVeth(t *testing.T, n string, queues int) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "dpdk" + n
	attrs.NumTxQueues, attrs.NumRxQueues = queues, queues
	mac, err := net.ParseMAC("02:00:00:00:0" + n + ":01")
	require.NoError(t, err)
	attrs.HardwareAddr = mac
	require.NoError(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "peer" + n,
		PeerNumTxQueues: uint32(queues), PeerNumRxQueues: uint32(queues)}))
	for _, name := range []string{"dpdk" + n, "peer" + n} {
		// No address, no router solicitation: nothing but the test's frames.
		require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0))
		setLink(t, name, true)
	}
}

func setLink(t *testing.T, name string, up bool) {
	t.Helper()
	link, err := netlink.LinkByName(name)
	require.NoError(t, err)
	if up {
		require.NoError(t, netlink.LinkSetUp(link))
	} else {
		require.NoError(t, netlink.LinkSetDown(link))
	}
}

func linkMTU(t *testing.T, name string) int {
	t.Helper()
	link, err := netlink.LinkByName(name)
	require.NoError(t, err)
	return link.Attrs().MTU
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

// testEther is an EtherType for experiments (IEEE 802), which no kernel minds.
const testEther = "\x88\xb5"

// testSource is where udpFrame's come from: an address that nobody has.
const testSource = "\x0a\x09\x08\x07"

// udpFrame is of a flow that a kernel's hash can tell from others.
func udpFrame(port uint16) []byte {
	frame := frameOf(60, 0)
	copy(frame[12:], "\x08\x00\x45\x00\x00\x2e\x00\x00\x00\x00\x40\x11\x00\x00"+testSource+"\x0a\x09\x08\x06")
	copy(frame[34:], []byte{byte(port >> 8), byte(port), 0, 9, 0, 26})
	return frame
}

func testFrame(i int) []byte {
	return frameOf(60+13*i, byte(i))
}

func frameOf(size int, fill byte) []byte {
	frame := bytes.Repeat([]byte{fill}, size)
	copy(frame, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02"+testEther)
	return frame
}

func isTest(frame []byte) bool {
	return len(frame) > 34 && (string(frame[12:14]) == testEther || string(frame[26:30]) == testSource)
}

// exchange sends frames from the kernel's side, which the port's worker sends
// back with their first payload byte changed.
func exchange(t *testing.T, p *Port, peer int, frames int) {
	t.Helper()
	for i := range frames {
		_, err := unix.Write(peer, testFrame(i))
		require.NoError(t, err)
	}
	onWorker(t, func() error { return echo(p, frames) })
	buf := make([]byte, 65536)
	for i := range frames {
		want := testFrame(i)
		want[14]++
		require.Equal(t, want, readIncoming(t, peer, buf))
	}
}

// readIncoming is the next frame of the test's, without what the socket itself
// sent.
func readIncoming(t *testing.T, fd int, buf []byte) []byte {
	t.Helper()
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		require.NoError(t, err)
		if from.(*unix.SockaddrLinklayer).Pkttype != unix.PACKET_OUTGOING && isTest(buf[:n]) {
			return buf[:n]
		}
	}
}

// pending is how many frames of the test's wait in a socket.
func pending(fd int) (n int) {
	buf := make([]byte, 65536)
	for {
		size, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if err != nil {
			return n
		}
		if isTest(buf[:size]) {
			n++
		}
	}
}

func echo(p *Port, frames int) error {
	var burst packet.Burst
	deadline := time.Now().Add(20 * time.Second)
	for done := 0; done < frames; {
		n := testFrames(p, &burst, p.Rx(0, &burst))
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

// testFrames frees what is not the test's, such as a kernel's router
// solicitations.
func testFrames(p *Port, burst *packet.Burst, n int) (kept int) {
	for _, b := range burst[:n] {
		if isTest(b.Bytes()) {
			burst[kept] = b
			kept++
			continue
		}
		p.pool.Free(&packet.Burst{b}, 1)
	}
	return kept
}

// transmit sends one frame from the port.
func transmit(t *testing.T, p *Port, frame []byte) {
	t.Helper()
	b := p.pool.Alloc()
	require.NotNil(t, b)
	require.True(t, b.SetLen(len(frame)))
	copy(b.Bytes(), frame)
	p.Tx(0, &packet.Burst{b}, 1)
}

// receive polls the port until it has a frame of the test's, for a while.
func receive(t *testing.T, p *Port) []byte {
	t.Helper()
	var frame []byte
	require.Eventually(t, func() bool {
		frame = poll(p)
		return frame != nil
	}, 10*time.Second, time.Millisecond)
	return frame
}

// poll is one burst's first frame of the test's; the rest is freed.
func poll(p *Port) (frame []byte) {
	var burst packet.Burst
	n := testFrames(p, &burst, p.Rx(0, &burst))
	if n > 0 {
		frame = bytes.Clone(burst[0].Bytes())
		p.pool.Free(&burst, n)
	}
	return frame
}

// fds is how many file descriptors the process has.
func fds(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
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

// hasLimit asserts that the port says of itself what it lacks.
func hasLimit(t *testing.T, p *Port, text string) {
	t.Helper()
	for _, l := range p.Limits() {
		if bytes.Contains([]byte(l), []byte(text)) {
			return
		}
	}
	assert.Failf(t, "limit not told", "%q in %q", text, p.Limits())
}

func sendRaw(t *testing.T, fd int, frame []byte) {
	t.Helper()
	_, err := unix.Write(fd, frame)
	require.NoError(t, err)
}
