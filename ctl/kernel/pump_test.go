package kernel

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// The whole way: a real host pings and connects through device, worker, pump,
// twin and back, and each answer comes once.
func TestKernelAnswersThroughTwinOnce(t *testing.T) {
	needNamespace(t)
	defer goleak.VerifyNone(t)
	h := newHost(t, "lan0", "10.1.0.2/24")
	require.NoError(t, addAddr("lan0", "10.1.0.1/24"))
	p := startPath(t, Config{}, portTo(t, "lan0", "10.1.0.1/24"))
	f := forward(t, p, 0, "lan0")
	require.NoError(t, p.SetAddresses(addrs("10.1.0.100", "192.0.2.80")))

	require.Equal(t, 1, h.ping("10.1.0.1", long))
	require.Equal(t, 1, h.ping("10.1.0.100", long), "virtual address answers ARP and ping")
	require.ErrorIs(t, h.dial("10.1.0.100:81", long), unix.ECONNREFUSED)
	listener, err := net.Listen("tcp4", "10.1.0.100:8080")
	require.NoError(t, err)
	defer listener.Close()
	require.NoError(t, h.dial("10.1.0.100:8080", long))

	require.NoError(t, p.SetAddresses(addrs("192.0.2.80")))
	require.Zero(t, h.ping("10.1.0.100", short))
	c := p.count(0)
	require.NotZero(t, c.ToKernel)
	require.NotZero(t, c.FromKernel)
	f.close()
	p.close()
	require.Equal(t, 1, h.ping("10.1.0.1", long), "the device has its address back")
}

// The kernel fills in complete checksums: nobody behind the twin would.
func TestChecksumsFromTwinAreComplete(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	for _, to := range []string{"10.0.0.2", "fd00::2"} {
		addNeighbour(t, p, to, "02:00:00:00:99:02", unix.NUD_PERMANENT)
		for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
			startConnection(t, netip.MustParseAddr(to), kind)
			frame := p.receive(0, func(frame []byte) bool { return isTransport(frame, kind) })
			require.Equal(t, recomputed(t, frame), frame, "%s kind %d", to, kind)
		}
	}
}

func startConnection(t *testing.T, to netip.Addr, kind int) {
	fd, err := unix.Socket(familyOf(to), kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	var dst unix.Sockaddr = &unix.SockaddrInet6{Addr: to.As16(), Port: 80}
	if to.Is4() {
		dst = &unix.SockaddrInet4{Addr: to.As4(), Port: 80}
	}
	if err := unix.Connect(fd, dst); err != unix.EINPROGRESS {
		require.NoError(t, err)
	}
	if kind == unix.SOCK_DGRAM {
		_, err = unix.Write(fd, []byte("some data that needs a checksum"))
		require.NoError(t, err)
	}
}

func isTransport(frame []byte, kind int) bool {
	parsed := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	if kind == unix.SOCK_STREAM {
		return parsed.Layer(layers.LayerTypeTCP) != nil
	}
	return parsed.Layer(layers.LayerTypeUDP) != nil
}

// recomputed is the frame with checksums by gopacket.
func recomputed(t *testing.T, frame []byte) []byte {
	parsed := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
	for _, l := range parsed.Layers() {
		if c, ok := l.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			require.NoError(t, c.SetNetworkLayerForChecksum(parsed.NetworkLayer()))
		}
	}
	buffer := gopacket.NewSerializeBuffer()
	require.NoError(t, gopacket.SerializePacket(buffer, gopacket.SerializeOptions{ComputeChecksums: true}, parsed))
	return buffer.Bytes()
}

func TestPumpCountsWhatItLoses(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0), portNumber(1))
	frame := make([]byte, 60)
	send := func(port, n int) { p.send(p.rings[1], packet.ClassOther, port, frame[:n]) }

	send(0, 60)
	eventually(t, func() bool { return p.count(0).ToKernel == 1 }, "frame to the kernel")
	send(0, 3)
	eventually(t, func() bool { return p.count(0).Lost["write"] == 1 }, "short frame counted")
	send(7, 60)
	eventually(t, func() bool { return p.Counters().NoTwin == 1 }, "frame for no twin counted")

	link, err := netlink.LinkByName("sl-w0")
	require.NoError(t, err)
	require.NoError(t, netlink.LinkSetDown(link))
	send(0, 60)
	eventually(t, func() bool { return p.count(0).Lost["twin-down"] == 1 }, "frame to a twin that is down counted")
	require.EqualValues(t, 1, p.count(0).ToKernel)
	require.EqualValues(t, 0, p.count(1).ToKernel)
}

func TestReaderCountsWhatItLoses(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0))
	addNeighbour(t, p, "10.0.0.2", "02:00:00:00:99:02", unix.NUD_PERMANENT)
	fill := func(reason string) {
		eventually(t, func() bool {
			startConnection(t, netip.MustParseAddr("10.0.0.2"), unix.SOCK_DGRAM)
			return p.count(0).Lost[reason] > 0
		}, "%s counted", reason)
	}
	fill("ring-full") // nobody fetches: the ring holds 64
	require.GreaterOrEqual(t, p.count(0).FromKernel, uint64(64))
	hold := p.pool.hold(t)
	fill("pool-empty")
	hold()
}

func TestFrameLongerThanBuffer(t *testing.T) {
	needNamespace(t)
	p := openPath(t, Config{}, portNumber(0))
	p.pool.room = 40
	require.NoError(t, p.Start())
	defer p.close()
	addNeighbour(t, p, "10.0.0.2", "02:00:00:00:99:02", unix.NUD_PERMANENT)
	startConnection(t, netip.MustParseAddr("10.0.0.2"), unix.SOCK_DGRAM)
	eventually(t, func() bool { return p.count(0).Lost["too-long"] > 0 }, "long frame counted")
}

// What is in the rings when we stop goes back to the pool, counted.
func TestCloseEmptiesRings(t *testing.T) {
	needNamespace(t)
	p := openPath(t, Config{}, portNumber(0))
	for range 10 {
		p.send(p.rings[0], packet.ClassRouting, 0, make([]byte, 60))
		p.send(p.rings[1], packet.ClassOther, 0, make([]byte, 60))
	}
	b := p.pool.Alloc()
	require.True(t, p.rings[1].From[0].Push(b))
	require.Equal(t, 21, p.pool.InUse())
	twin := p.twins[0]
	p.close()
	require.EqualValues(t, 21, twin.counters().Lost["stopped"])
}

// A frame of the first class does not wait for a flood of the last.
func TestRoutingGoesFirst(t *testing.T) {
	needNamespace(t)
	p := openPath(t, Config{}, portNumber(0))
	for i := range 60 {
		p.send(p.rings[0], packet.ClassOther, 0, append(make([]byte, 60), byte(i)))
	}
	p.send(p.rings[1], packet.ClassRouting, 0, append(make([]byte, 60), 200))
	fd := packetSocket(t, "sl-w0")
	require.NoError(t, p.Start())
	defer p.close()
	eventually(t, func() bool { return p.count(0).ToKernel == 61 }, "all written")
	buffer := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		require.NoError(t, err)
		if n == 61 {
			require.EqualValues(t, 200, buffer[60])
			return
		}
	}
}

// hold takes all that is left in the pool.
func (p *fakePool) hold(t *testing.T) (release func()) {
	var burst packet.Burst
	n := 0
	for p.Alloc() != nil {
		n++
	}
	return func() {
		for i := range burst {
			burst[i] = packet.NewBuf(1, 0)
		}
		for ; n > 0; n -= packet.BurstSize {
			p.Free(&burst, min(n, packet.BurstSize))
		}
	}
}

// addNeighbour sets a neighbour on the first twin.
func addNeighbour(t *testing.T, p *testPath, addr, mac string, state int) {
	t.Helper()
	hw, err := net.ParseMAC(mac)
	require.NoError(t, err)
	ip := netip.MustParseAddr(addr)
	require.NoError(t, netlink.NeighSet(&netlink.Neigh{LinkIndex: p.twins[0].index, Family: familyOf(ip),
		IP: ip.AsSlice(), HardwareAddr: hw, State: state}))
}

func TestTwinNames(t *testing.T) {
	for _, bad := range []string{"", "sixteen-letters!", "a/b", "a b", "tap%d", "..", "a:b"} {
		require.ErrorContains(t, checkName(bad), "name of twin", bad)
	}
	require.NoError(t, checkName("sl-fifteen-let-"))
}

func TestTwinNameTakenByOtherInterface(t *testing.T) {
	needNamespace(t)
	newHost(t, "sl-w0")
	_, err := openTwin(portNumber(0), newAnnouncer())
	require.ErrorIs(t, err, unix.EINVAL)
	require.ErrorContains(t, err, "sl-w0")
}

func TestTwinHeldByOtherDaemon(t *testing.T) {
	needNamespace(t)
	first, err := openTwin(portNumber(0), newAnnouncer())
	require.NoError(t, err)
	defer first.close()
	_, err = openTwin(portNumber(0), newAnnouncer())
	require.ErrorIs(t, err, unix.EBUSY)
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(list)
}
