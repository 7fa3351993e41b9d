package e2e

import (
	"net"
	"net/netip"
	"regexp"
	"syscall"
	"testing"

	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Ping takes the whole path through DPDK, the twin and back; the kernel behind
// the device has the same address and must not answer as well.
func TestPingIsAnsweredOnce(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	d.add("fullnat", "tcp", "rs1")
	d.add("dr", "tcp", "rs1")
	for _, name := range []string{"vip-fullnat", "vip-dr", "local", "gw"} {
		t.Run(name, func(t *testing.T) {
			w := l.wire("client", isEchoReply)
			out, err := l.ping(l.addr(name))
			require.NoError(t, err, out)
			assert.Regexp(t, regexp.MustCompile(`\b20 received, 0% packet loss`), out)
			assert.NotContains(t, out, "DUP!")
			d.quiet()
			seen := map[uint16]int{}
			for _, p := range w.stop() {
				assert.Equal(t, l.addr(name).String(), p.NetworkLayer().NetworkFlow().Src().String())
				seen[p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4).Seq]++
			}
			assert.Len(t, seen, 20)
			for seq, n := range seen {
				assert.Equal(t, 1, n, "replies to request %d", seq)
			}
		})
	}
	d.stop()
}

func (l *lab) ping(to netip.Addr) (string, error) {
	out, err := l.command("client", "ping", "-n", "-c", "20", "-i", "0.01", "-W", "10", to.String()).CombinedOutput()
	return string(out), err
}

// The gateway's kernel, through the twin, refuses what is no service; once.
func TestClosedPortIsResetOnce(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	d.add("fullnat", "tcp", "rs1")
	d.add("dr", "tcp", "rs1")
	for _, name := range []string{"vip-fullnat", "vip-dr", "gw"} {
		t.Run(name, func(t *testing.T) {
			w := l.wire("client", isReset)
			assert.ErrorIs(t, l.connect(netip.AddrPortFrom(l.addr(name), 81)), syscall.ECONNREFUSED)
			d.quiet()
			resets := w.stop()
			require.Len(t, resets, 1)
			assert.Equal(t, l.addr(name).String(), resets[0].NetworkLayer().NetworkFlow().Src().String())
			assert.Equal(t, layers.TCPPort(81), resets[0].Layer(layers.LayerTypeTCP).(*layers.TCP).SrcPort)
		})
	}
	d.stop()
}

// connect opens a TCP connection from the client and closes it.
func (l *lab) connect(to netip.AddrPort) (err error) {
	l.in("client", func() error {
		var conn *net.TCPConn
		if conn, err = net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(to)); err == nil {
			err = conn.Close()
		}
		return nil
	})
	return err
}
