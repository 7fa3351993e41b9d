package kernel

import (
	"encoding/binary"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// testPath is a Path with what the rest of the daemon would give it.
type testPath struct {
	*Path
	t     *testing.T
	pool  *fakePool
	rings []*packet.KernelRings
	hops  *service.NextHops
	state string

	mu  sync.Mutex
	net *service.Net
}

func (p *testPath) publish(n *service.Net) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.net = n
}

func (p *testPath) view() *service.Net {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.net
}

// openPath opens a path over the ports; it is closed with the test.
func openPath(t *testing.T, cfg Config, ports ...PortSpec) *testPath {
	t.Helper()
	p := &testPath{t: t, pool: newPool(), hops: new(service.NextHops)}
	for range 2 {
		p.rings = append(p.rings, packet.NewKernelRings(len(ports), 64))
	}
	if cfg.StateFile == "" {
		cfg.StateFile = filepath.Join(t.TempDir(), "kernel.json")
	}
	p.state = cfg.StateFile
	var err error
	p.Path, err = Open(cfg, ports, p.pool, p.rings, p.hops, p.publish, quiet)
	require.NoError(t, err)
	return p
}

func startPath(t *testing.T, cfg Config, ports ...PortSpec) *testPath {
	t.Helper()
	p := openPath(t, cfg, ports...)
	require.NoError(t, p.Start())
	t.Cleanup(p.close)
	return p
}

func (p *testPath) close() {
	require.NoError(p.t, p.Path.Close())
	require.Zero(p.t, p.pool.InUse(), "buffers lost")
	require.NoFileExists(p.t, p.state)
}

func (p *testPath) count(port int) TwinCounters { return p.Counters().Twins[port] }

// portNumber n has addresses 10.n.0.1/24 and fd0n::1/64 on twin sl-wn.
func portNumber(n int) PortSpec {
	return PortSpec{
		Name: "w" + string(rune('0'+n)), Index: n, MTU: 1500, MAC: packet.MAC{2, 0, 0, 0, 1, byte(n)},
		Addresses: []netip.Prefix{
			netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n), 0, 1}), 24),
			netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 1: byte(n), 15: 1}), 64),
		},
	}
}

// portTo is the port over a device towards a host, as net_af_packet makes it.
func portTo(t *testing.T, device string, addresses ...string) PortSpec {
	return PortSpec{Name: device, Devices: []string{device}, MAC: macOf(t, device), MTU: 1500, Addresses: prefixes(addresses...)}
}

// forwarder does what worker and port do with frames that are not for the fast
// path: from the device to the kernel, and back.
type forwarder struct {
	stop chan struct{}
	done sync.WaitGroup
}

func forward(t *testing.T, p *testPath, port int, device string) *forwarder {
	fd := packetSocket(t, device)
	f := &forwarder{stop: make(chan struct{})}
	f.done.Go(func() {
		for {
			select {
			case <-f.stop:
				return
			default:
			}
			if !fromDevice(p, port, fd) && !toDevice(p, port, fd) {
				runtime.Gosched()
				time.Sleep(20 * time.Microsecond)
			}
		}
	})
	t.Cleanup(f.close)
	return f
}

func (f *forwarder) close() {
	if f.stop != nil {
		close(f.stop)
		f.done.Wait()
		f.stop = nil
	}
}

func fromDevice(p *testPath, port int, fd int) bool {
	buffer := make([]byte, 2048)
	n, from, err := unix.Recvfrom(fd, buffer, 0)
	if link, ok := from.(*unix.SockaddrLinklayer); err != nil || ok && link.Pkttype == unix.PACKET_OUTGOING {
		return false
	}
	class := packet.ClassOther
	if binary.BigEndian.Uint16(buffer[12:]) == unix.ETH_P_ARP {
		class = packet.ClassNeighbour
	}
	p.send(p.rings[1], class, port, buffer[:n])
	return true
}

// send gives a frame to the kernel as a worker does.
func (p *testPath) send(r *packet.KernelRings, class packet.KernelClass, port int, frame []byte) {
	b := p.pool.Alloc()
	if b == nil {
		return
	}
	b.SetLen(len(frame))
	copy(b.Bytes(), frame)
	b.Port = uint16(port)
	for !r.To[class].Push(b) {
		runtime.Gosched()
	}
}

func toDevice(p *testPath, port int, fd int) bool {
	var burst packet.Burst
	n := p.rings[0].From[port].Pop(&burst, packet.BurstSize)
	for _, b := range burst[:n] {
		unix.Write(fd, b.Bytes())
	}
	if n > 0 {
		p.pool.Free(&burst, n)
	}
	return n > 0
}

// receive pops frames that the kernel sent out of the twin until accept takes one.
func (p *testPath) receive(port int, accept func(frame []byte) bool) []byte {
	p.t.Helper()
	var found []byte
	eventually(p.t, func() bool {
		var burst packet.Burst
		n := p.rings[0].From[port].Pop(&burst, packet.BurstSize)
		for _, b := range burst[:n] {
			if found == nil && accept(b.Bytes()) {
				found = append([]byte(nil), b.Bytes()...)
			}
		}
		if n > 0 {
			p.pool.Free(&burst, n)
		}
		return found != nil
	}, "frame from the kernel")
	return found
}

// fakePool hands out at most size buffers of Go memory.
type fakePool struct {
	size, room int
	inUse      atomic.Int64
}

func (p *fakePool) Alloc() *packet.Buf {
	if p.inUse.Add(1) > int64(p.size) {
		p.inUse.Add(-1)
		return nil
	}
	return packet.NewBuf(128+p.room, 128)
}

func (p *fakePool) Free(burst *packet.Burst, n int) {
	for _, b := range burst[:n] {
		if b == nil {
			panic("nil buffer freed")
		}
	}
	p.inUse.Add(int64(-n))
}

func (p *fakePool) InUse() int { return int(p.inUse.Load()) }
func (p *fakePool) Size() int  { return p.size }

func newPool() *fakePool { return &fakePool{size: 512, room: 2048} }
