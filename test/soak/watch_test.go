package main

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// filtered gives an IP packet to the filter, in the kernel, and returns what is
// left of it.
func filtered(t *testing.T, b []byte) []byte {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	program := unix.SockFprog{Len: uint16(len(wanted)), Filter: &wanted[0]}
	require.NoError(t, unix.SetsockoptSockFprog(pair[1], unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program))
	_, err = unix.Write(pair[0], b)
	require.NoError(t, err)
	out := make([]byte, 2*headers)
	n, err := unix.Read(pair[1], out)
	if err == unix.EAGAIN {
		return nil
	}
	require.NoError(t, err)
	return out[:n]
}

// What opens or ends a connection is seen however long it is, and all that is
// short; no bulk, no UDP, no later fragments.
func TestWatchSeesWhatMatters(t *testing.T) {
	cases := []struct {
		name  string
		proto uint8
		flags uint8
		bytes int
		part  uint16 // offset of a fragment
		want  bool
	}{
		{"SYN", frame.TCP, frame.SYN, 0, 0, true},
		{"ACK", frame.TCP, frame.ACK, 0, 0, true},
		{"request", frame.TCP, frame.ACK | frame.PSH, 200, 0, true},
		{"bulk", frame.TCP, frame.ACK, 1000, 0, false},
		{"end of bulk", frame.TCP, frame.ACK | frame.FIN, 1000, 0, true},
		{"reset", frame.TCP, frame.RST, 1000, 0, true},
		{"UDP", frame.UDP, 0, 10, 0, false},
		{"fragment", frame.TCP, frame.RST, 80, 100, false},
	}
	for _, c := range cases {
		for _, ends := range [][2]string{{"10.1.0.10", "10.1.0.100"}, {"fd00:51:1::10", "fd00:51:1::100"}} {
			p := frame.Packet{Src: ends[0], Dst: ends[1], SrcPort: 4711, DstPort: 80, Proto: c.proto, Flags: c.flags, Seq: 0xfedcba98, TTL: 63,
				Payload: make([]byte, c.bytes), Offset: c.part}
			got := filtered(t, p.IP())
			require.Equal(t, c.want, len(got) > 0, "%s %v", c.name, ends)
			if !c.want {
				continue
			}
			s, ok := parseSight(got)
			require.True(t, ok)
			assert.Equal(t, sight{src: netip.AddrPortFrom(netip.MustParseAddr(ends[0]), 4711), dst: netip.AddrPortFrom(netip.MustParseAddr(ends[1]), 80),
				hops: 63, flags: c.flags, seq: 0xfedcba98, bytes: c.bytes}, s, c.name)
		}
	}
}

// played is a watch that has seen this.
func played(sights ...sight) *watch {
	w := &watch{ring: make([]sight, 64)}
	for i := range sights {
		sights[i].at = time.Now()
		w.add(sights[i])
	}
	return w
}

func at(text string) netip.AddrPort { return netip.MustParseAddrPort(text) }

// resetOf is what a connection of that client port reads in the end.
func resetOf(port int) error {
	return &net.OpError{Op: "read", Source: &net.TCPAddr{IP: net.IPv4(10, 1, 0, 10), Port: port}, Err: os.NewSyscallError("read", unix.ECONNRESET)}
}

// A server's leg is found although address and port are others there, and who
// was first to send the reset is told.
func TestStoryOfAReset(t *testing.T) {
	client, vip, local, rs := at("10.1.0.10:4711"), at("10.1.0.100:80"), at("10.2.0.2:2000"), at("10.2.0.11:80")
	w := played(
		sight{host: "client", out: true, src: client, dst: vip, flags: frame.SYN, seq: 1000},
		sight{host: "rs1", src: local, dst: rs, flags: frame.SYN, seq: 1000},
		sight{host: "rs1", src: at("10.2.0.2:2001"), dst: rs, flags: frame.SYN, seq: 1001},
		sight{host: "rs1", out: true, src: rs, dst: local, flags: frame.SYN | frame.ACK, seq: 5, ack: 1001},
		sight{host: "client", out: true, src: client, dst: vip, flags: frame.RST, seq: 1001},
		sight{host: "rs1", out: true, src: rs, dst: local, flags: frame.RST, seq: 6},
		sight{host: "client", src: vip, dst: client, flags: frame.RST, seq: 6},
	)
	w.note("it rained")
	s := &site{name: "here"}
	s.key.Address, s.key.Port = vip.Addr(), vip.Port()
	told := w.tell(s, time.Now().Add(-time.Second), resetOf(4711))
	assert.Equal(t, "rs1", told.resetter())
	assert.False(t, told.intended())
	assert.Len(t, told.sights, 6)
	for _, want := range []string{"10.2.0.11:80 > 10.2.0.2:2000 R seq 6", "it rained", "reset by rs1"} {
		assert.Contains(t, told.String(), want)
	}
	assert.NotContains(t, told.String(), "10.2.0.2:2001")
	other := w.tell(s, time.Now().Add(-time.Second), resetOf(4712))
	assert.Equal(t, nobody, other.resetter())
}

// Of a connection that was refused, Go does not tell the port.
func TestStoryOfARefusal(t *testing.T) {
	client, vip := at("[fd00:51:1::10]:4711"), at("[fd00:51:1::100]:80")
	w := played(
		sight{host: "client", out: true, src: client, dst: vip, flags: frame.SYN, seq: 1000},
		sight{host: "gw", device: frontTwin, out: true, src: vip, dst: client, flags: frame.RST | frame.ACK, ack: 1001})
	s := &site{name: "here"}
	s.key.Address, s.key.Port = vip.Addr(), vip.Port()
	told := w.tell(s, time.Now().Add(-time.Second), &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", unix.ECONNREFUSED)})
	assert.Equal(t, "gw", told.resetter())
	assert.True(t, told.intended())
	assert.Equal(t, 1, strings.Count(told.String(), " S seq 1000"))
}

// What is under way explains failures, but no reset by others than the gateway.
func TestNothingExplainsAServersReset(t *testing.T) {
	s := &site{name: "here"}
	h := new(harms)
	h.begin(s.key, "a backend was removed")
	for host, want := range map[string]uint64{"gw": 1, "rs1": 0, "client": 0} {
		tally := newTally(h)
		tally.tell = func(*site, time.Time, error) story {
			return story{sights: []sight{{host: host, out: true, flags: frame.RST}}, to: at("10.1.0.100:80")}
		}
		tally.record("tcp", s, time.Now(), 0, resetOf(1))
		assert.Equal(t, want, tally.kinds["tcp"].explained, host)
		assert.Equal(t, 1-want, tally.kinds["tcp"].failed, host)
	}
}
