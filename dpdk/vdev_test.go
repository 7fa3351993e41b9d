package dpdk

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// The other side of a tap is a kernel interface that comes and goes with it.
func TestTap(t *testing.T) {
	namespace(t)
	pool := newPool(t, 4095)
	p := attach(t, PortConfig{Name: "tap", Device: "net_tap0,iface=slt0", Pool: pool})
	hasLimit(t, p, "system call")
	link, err := netlink.LinkByName("slt0")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/slt0/disable_ipv6", []byte("1"), 0))
	assert.True(t, p.LinkUp())
	require.NoError(t, p.SetMTU(1400))
	assert.Equal(t, 1400, linkMTU(t, "slt0"))
	require.NoError(t, p.SetMTU(1500))
	exchange(t, p, rawSocket(t, "slt0"), 100)
	require.NoError(t, p.Close())
	_, err = netlink.LinkByName(link.Attrs().Name)
	assert.Error(t, err, "gone with the port")
}

// Frames of 9000 bytes in one buffer each; the tap driver refuses them.
func TestJumboFramesOnMemif(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: opens /dev/net/tun")
	}
	pool, err := NewPool("jumbo", 8191, 9000+linkOverhead, 32, -1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	want := frameOf(9014, 7)

	_, err = Attach(PortConfig{Name: "tap", Device: "net_tap0,iface=slt0", MTU: 9000, Pool: pool})
	require.ErrorContains(t, err, "takes 46 to 1504")

	socket := ",socket-abstract=no,socket=" + filepath.Join(t.TempDir(), "m")
	server := attach(t, PortConfig{Name: "a", Device: "net_memif0,role=server" + socket, MTU: 9000, Pool: pool})
	client := attach(t, PortConfig{Name: "b", Device: "net_memif1,role=client" + socket, MTU: 9000, Pool: pool})
	assert.Equal(t, uint16(9000), client.Info().MTU)
	require.Eventually(t, func() bool { return server.LinkUp() && client.LinkUp() }, 20*time.Second, time.Millisecond)
	poll(server)
	poll(client)
	transmit(t, client, want)
	require.Equal(t, want, receive(t, server))
	transmit(t, server, want)
	require.Equal(t, want, receive(t, client))
}

func TestTapWithSeveralQueues(t *testing.T) {
	namespace(t)
	pool := newPool(t, 8191)
	p := attach(t, PortConfig{Name: "tap", Device: "net_tap0,iface=slt0", Queues: 2, RSSKey: make([]byte, 40), Pool: pool})
	require.NoError(t, os.WriteFile("/proc/sys/net/ipv6/conf/slt0/disable_ipv6", []byte("1"), 0))
	assert.Equal(t, manyFrames, sendMany(t, p, rawSocket(t, "slt0"), 2))
}

// Shared memory between two ports of one process, as between two processes.
func TestMemif(t *testing.T) {
	pool := newPool(t, 8191)
	socket := ",socket-abstract=no,socket=" + filepath.Join(t.TempDir(), "memif.sock")
	server := attach(t, PortConfig{Name: "a", Device: "net_memif0,role=server" + socket, Pool: pool})
	assert.False(t, server.LinkUp(), "nobody is there")
	client := attach(t, PortConfig{Name: "b", Device: "net_memif1,role=client" + socket, Pool: pool})
	require.Eventually(t, func() bool { return server.LinkUp() && client.LinkUp() }, 20*time.Second, time.Millisecond)
	hasLimit(t, server, "no address filter")
	poll(server) // gives the peer buffers to write to
	poll(client)
	for i := range 100 {
		want := testFrame(i)
		transmit(t, client, want)
		require.Equal(t, want, receive(t, server))
		transmit(t, server, want)
		require.Equal(t, want, receive(t, client))
	}
	require.NoError(t, client.Close())
	require.Eventually(t, func() bool { return !server.LinkUp() }, 20*time.Second, time.Millisecond)
	path := server.device.memifServer()
	require.Positive(t, listener(path))
	require.NoError(t, server.Close())
	assert.Negative(t, listener(path), "nobody listens any more")
	attach(t, PortConfig{Name: "a", Device: "net_memif0,role=server" + socket, Pool: pool})
}

// Each has a process of its own on the other side, which sends frames and wants
// them back with their first payload byte changed.
func TestPeerProcesses(t *testing.T) {
	cases := []struct{ name, device, peer string }{
		{"memif", "net_memif0,role=server,socket-abstract=no,socket=%s", "net_memif0,role=client,socket-abstract=no,socket=%s"},
		{"vhost", "net_vhost0,iface=%s", "net_virtio_user0,path=%s,mac=02:00:00:00:00:09"},
		{"virtio_user", "net_virtio_user0,server=1,path=%s", "net_vhost0,client=1,iface=%s"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pool := newPool(t, 8191)
			socket := filepath.Join(t.TempDir(), "s")
			var p *Port
			peer := func() *exec.Cmd {
				cmd := child(t, "peer", childPrefix(c.name))
				cmd.Env = append(cmd.Env, peerEnv+"="+fmt.Sprintf(c.peer, socket))
				return cmd
			}
			cmd := peer()
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			cmd.Stderr = os.Stderr
			if strings.Contains(c.device, "server=1") { // Attach waits for the peer
				require.NoError(t, cmd.Start())
				p = attach(t, PortConfig{Name: "p", Device: fmt.Sprintf(c.device, socket), Pool: pool})
			} else {
				p = attach(t, PortConfig{Name: "p", Device: fmt.Sprintf(c.device, socket), Pool: pool})
				assert.False(t, p.LinkUp(), "nobody is there")
				require.NoError(t, cmd.Start())
			}
			require.Eventually(t, p.LinkUp, 20*time.Second, time.Millisecond)
			echoed := make(chan error, 1)
			go func() { echoed <- <-runEcho(p, peerFrames) }()
			said, err := io.ReadAll(out)
			require.NoError(t, err)
			assert.Equal(t, "all back\n", string(said))
			require.NoError(t, cmd.Wait())
			require.NoError(t, <-echoed)
			require.Eventually(t, func() bool { return c.name == "virtio_user" || !p.LinkUp() }, 20*time.Second, time.Millisecond)
		})
	}
}

func runEcho(p *Port, frames int) <-chan error {
	done := make(chan error, 1)
	var found error
	ended := testEAL.Run(0, func() { found = echo(p, frames) })
	go func() {
		if err := <-ended; err != nil {
			found = err
		}
		done <- found
	}()
	return done
}

const (
	peerEnv    = "SLUICE_DPDK_PEER" // device of a child that is a peer
	peerFrames = 100
)

// childPeer is the other side of TestPeerProcesses.
func childPeer(c EALConfig) error {
	e, err := Init(c)
	if err != nil {
		return err
	}
	pool, err := NewPool("p", 8191, 2048, 32, e.Socket(0))
	if err != nil {
		return err
	}
	p, err := Attach(PortConfig{Name: "p", Device: os.Getenv(peerEnv), Pool: pool})
	if err != nil {
		return err
	}
	var found error
	if err := <-e.Run(0, func() { found = ask(p, peerFrames) }); err != nil {
		return err
	}
	if found != nil {
		return found
	}
	fmt.Println("all back")
	return e.Close()
}

// ask sends frames one by one and wants each back, changed.
func ask(p *Port, frames int) error {
	deadline := time.Now().Add(20 * time.Second)
	for !p.LinkUp() {
		if time.Now().After(deadline) {
			return fmt.Errorf("no link")
		}
	}
	for i := range frames {
		want := testFrame(i)
		for !offer(p, want) { // the link is up before the peer's rings are
			if time.Now().After(deadline) {
				return fmt.Errorf("frame %d is not taken", i)
			}
		}
		want[14]++
		got := poll(p)
		for ; got == nil; got = poll(p) {
			if time.Now().After(deadline) {
				return fmt.Errorf("frame %d is not back", i)
			}
		}
		if !bytes.Equal(want, got) {
			return fmt.Errorf("frame %d: % x", i, got)
		}
	}
	return nil
}

// offer says whether the port took a frame.
func offer(p *Port, frame []byte) bool {
	b := p.pool.Alloc()
	b.SetLen(len(frame))
	copy(b.Bytes(), frame)
	return p.Tx(0, &packet.Burst{b}, 1) == 1
}

// The socket of a process that was killed is no obstacle; a living one's is.
func TestVhostSocketOfADeadProcess(t *testing.T) {
	pool := newPool(t, 1023)
	socket := filepath.Join(t.TempDir(), "v")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: socket}))
	require.NoError(t, unix.Listen(fd, 1))
	c := PortConfig{Name: "v", Device: "net_vhost0,iface=" + socket, Pool: pool}
	_, err = Attach(c)
	require.ErrorContains(t, err, "a running process listens")
	require.NoError(t, unix.Close(fd))
	p, err := Attach(c)
	require.NoError(t, err)
	require.NoError(t, p.Close())
	assert.NoFileExists(t, socket)
	require.NoError(t, os.WriteFile(socket, nil, 0o600))
	_, err = Attach(c)
	require.ErrorContains(t, err, "is no socket")
}
