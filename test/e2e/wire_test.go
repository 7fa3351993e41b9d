package e2e

import (
	"encoding/binary"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// wire is a packet socket on a host's eth0: it sees what comes in, and sends
// frames as they are.
type wire struct {
	t      *testing.T
	fd     int
	frames []gopacket.Packet
	end    atomic.Bool
	ended  chan error
}

// wire starts to watch a host. Frames are kept only if filter wants them, so
// that a watch under load stays small.
func (l *lab) wire(host string, filter func(gopacket.Packet) bool) *wire {
	l.t.Helper()
	w := &wire{t: l.t, ended: make(chan error, 1)}
	l.in(host, func() (err error) { w.fd, err = openWire(); return err })
	l.t.Cleanup(func() { w.end.Store(true); <-w.ended; unix.Close(w.fd) })
	go func() { w.ended <- w.watch(filter); close(w.ended) }()
	return w
}

func openWire() (int, error) {
	link, err := net.InterfaceByName("eth0")
	if err != nil {
		return 0, err
	}
	all := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(all))
	if err != nil {
		return 0, err
	}
	tick := unix.NsecToTimeval(int64(10 * time.Millisecond))
	return fd, errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tick),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}))
}

// watch reads until it is told to end and nothing is left to read.
func (w *wire) watch(filter func(gopacket.Packet) bool) error {
	for buf := make([]byte, 65536); ; {
		n, from, err := unix.Recvfrom(w.fd, buf, 0)
		switch {
		case err == unix.EAGAIN && w.end.Load():
			return nil
		case err == unix.EAGAIN, err == unix.EINTR:
			continue
		case err != nil:
			return err
		}
		if from.(*unix.SockaddrLinklayer).Pkttype == unix.PACKET_OUTGOING {
			continue
		}
		if p := gopacket.NewPacket(append([]byte(nil), buf[:n]...), layers.LayerTypeEthernet, gopacket.Default); filter(p) {
			w.frames = append(w.frames, p)
		}
	}
}

// stop ends the watch and returns the frames that came in, having made sure that
// the socket missed none.
func (w *wire) stop() []gopacket.Packet {
	w.t.Helper()
	w.end.Store(true)
	require.NoError(w.t, <-w.ended)
	stats, err := unix.GetsockoptTpacketStats(w.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	require.NoError(w.t, err)
	require.Zero(w.t, stats.Drops, "frames that the watch has missed")
	return w.frames
}

// send transmits a frame as it is, Ethernet header included.
func (w *wire) send(frame []byte) {
	w.t.Helper()
	_, err := unix.Write(w.fd, frame)
	require.NoError(w.t, err)
}

// isReset chooses TCP resets.
func isReset(p gopacket.Packet) bool {
	tcp, ok := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
	return ok && tcp.RST
}

// isEchoReply chooses answers to ping.
func isEchoReply(p gopacket.Packet) bool {
	icmp, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4)
	return ok && icmp.TypeCode.Type() == layers.ICMPv4TypeEchoReply
}
