package e2e

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestTunnelsCarryWhatFitsAndRefuseTheNextByte: the client's kernel hears of a
// packet one byte too long, and tells the program.
func TestTunnelsCarryWhatFitsAndRefuseTheNextByte(t *testing.T) {
	l := newTwoArmLab(t)
	d := l.startBoth(setup{})
	for _, w := range ways {
		if w.overhead() == 0 {
			continue
		}
		t.Run(w.String(), func(t *testing.T) {
			key := d.addWay(w, "udp", "rs1")
			room := 1500 - w.overhead() - 8 - 20
			if w.family == "6" {
				room -= 20
			}
			assert.Equal(t, "rs1", l.ask(l.dialUDP(key), strings.Repeat("x", room)))
			before := d.verdicts()["answered-too-big"]

			conn := l.dialUDP(key)
			_, err := conn.Write(make([]byte, room+1))
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
			_, err = conn.Read(make([]byte, 2048))
			assert.ErrorIs(t, err, unix.EMSGSIZE)
			assert.Equal(t, before+1, d.verdicts()["answered-too-big"])
		})
	}
	d.stop()
}

// TestIPv4OptionsPass: packets with options are forwarded like others, and the
// options with them.
func TestIPv4OptionsPass(t *testing.T) {
	l := newTwoArmLab(t)
	d := l.startBoth(setup{})
	const options = "\x01\x01\x94\x04\x00\x00\x01\x00" // no operation twice, router alert, no operation, end
	for _, w := range ways {
		if w.family != "4" {
			continue
		}
		t.Run(w.String(), func(t *testing.T) {
			key := d.addWay(w, "udp", "rs1")
			watch := l.wire("rs1", func(p gopacket.Packet) bool { return optionsOf(p) != nil })
			conn := l.dialUDP(key)
			setOptions(t, conn, options)
			for range 3 {
				assert.Equal(t, "rs1", l.ask(conn, "with options"))
			}
			frames := watch.stop()
			require.Len(t, frames, 3)
			for _, p := range frames {
				assert.Equal(t, options, string(optionsOf(p)))
			}
			total, _ := d.counters(key)
			assert.EqualValues(t, 1, total.Flows)
			assert.EqualValues(t, 3, total.InPackets)
		})
	}
	d.stop()
}

// optionsOf is the options of the packet's innermost IPv4 header; nil when it
// has none.
func optionsOf(p gopacket.Packet) (out []byte) {
	for _, layer := range p.Layers() {
		if ip, ok := layer.(*layers.IPv4); ok && ip.IHL > 5 {
			out = ip.Contents[20:]
		}
	}
	return out
}

func setOptions(t *testing.T, conn *net.UDPConn, options string) {
	t.Helper()
	raw, err := conn.SyscallConn()
	require.NoError(t, err)
	var setErr error
	err = raw.Control(func(fd uintptr) {
		setErr = unix.SetsockoptString(int(fd), unix.IPPROTO_IP, unix.IP_OPTIONS, options)
	})
	require.NoError(t, errors.Join(err, setErr))
}
