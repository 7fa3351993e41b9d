package modes_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/fake"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// FuzzDR: TTL and IP checksum change, nothing else does.
func FuzzDR(f *testing.F) {
	seeds(func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, data []byte) {
		in, p, ok := forwardable(data)
		if !ok {
			return
		}
		out := append([]byte(nil), in...)
		modes.DR(out, &p)
		require.Equal(t, in[22]-1, out[22], "TTL")
		require.Equal(t, masked(in, [2]int{22, 23}, [2]int{24, 26}), masked(out, [2]int{22, 23}, [2]int{24, 26}))
		checkHeader(t, out)
	})
}

// FuzzNAT4 sends a request through and a reply back: addresses and ports are
// the flow's, checksums are as right or wrong as before, and the reply has the
// client's tuple reversed.
func FuzzNAT4(f *testing.F) {
	seeds(func(b []byte) {
		f.Add(b, uint64(0xc800000a_0100000a), uint32(0x419c901f))
		f.Add(b, uint64(0), uint32(0))
		f.Add(b, ^uint64(0), ^uint32(0))
	})
	f.Fuzz(func(t *testing.T, data []byte, repAddrs uint64, repPorts uint32) {
		in, p, ok := forwardable(data)
		if !ok {
			return
		}
		e := entry(&p, repAddrs, repPorts)
		request := append([]byte(nil), in...)
		modes.NAT4(request, &p, e, flow.Request)
		checkNAT(t, in, request, &p, e.Tuple(flow.Reply).Reverse())

		// The backend answers with the same bytes from the other side.
		back := p
		back.Addrs, back.Ports = repAddrs, repPorts
		received := append([]byte(nil), request...)
		turn(received, &p, repAddrs, repPorts)
		reply := append([]byte(nil), received...)
		modes.NAT4(reply, &back, e, flow.Reply)
		checkNAT(t, received, reply, &p, e.Tuple(flow.Request).Reverse())
	})
}

// turn exchanges the addresses and the ports, which leaves all checksums as they are.
func turn(f []byte, p *packet.Parsed, addrs uint64, ports uint32) {
	binary.LittleEndian.PutUint64(f[26:], addrs)
	binary.LittleEndian.PutUint32(f[p.L4:], ports)
}

// checkNAT compares a packet before and after its rewrite to tuple.
func checkNAT(t *testing.T, in, out []byte, p *packet.Parsed, tuple flow.Tuple4) {
	t.Helper()
	require.Equal(t, tuple.Addrs, binary.LittleEndian.Uint64(out[26:34]), "addresses")
	require.Equal(t, tuple.Ports, binary.LittleEndian.Uint32(out[p.L4:]), "ports")
	require.Equal(t, in[22]-1, out[22], "TTL")
	at := checksumAt(p)
	changed := [][2]int{{22, 23}, {24, 26}, {26, 34}, {int(p.L4), int(p.L4) + 4}, {at, at + 2}}
	require.Equal(t, masked(in, changed...), masked(out, changed...), "other bytes")
	checkHeader(t, out)
	before, none := wrongBy(in, p)
	after, noneAfter := wrongBy(out, p)
	require.Equal(t, none, noneAfter, "no UDP checksum stays none, and one does not become none")
	if !none {
		require.Equal(t, before, after, "L4 checksum wrong by")
		checkSums(t, out, before == 0)
	}
}

// FuzzAnswer: what is answered is a valid ICMP error to the packet's source
// that quotes it; what is not answered is left alone.
func FuzzAnswer(f *testing.F) {
	seeds(func(b []byte) {
		f.Add(b, uint8(0), uint16(0), uint8(fake.Headroom))
		f.Add(b, uint8(1), uint16(0), uint8(28))
		f.Add(b, uint8(2), uint16(1400), uint8(27))
	})
	f.Fuzz(func(t *testing.T, data []byte, which uint8, mtu uint16, headroom uint8) {
		in, p, ok := parsed(data)
		if !ok {
			return
		}
		b := packet.NewBuf(4096, int(headroom))
		b.SetLen(len(in))
		copy(b.Bytes(), in)
		answers := []struct {
			send modes.ICMPError
			want frame.ICMPError
		}{
			{modes.TimeExceeded, frame.ICMPError{Type: 11}},
			{modes.PortUnreachable, frame.ICMPError{Type: 3, Code: 3}},
			{modes.TooBig(mtu), frame.ICMPError{Type: 3, Code: 4, MTU: mtu}},
		}
		e := answers[which%3]
		answered := modes.Answer(b, &p, e.send)
		later := binary.BigEndian.Uint16(in[20:])&0x1fff != 0
		require.Equal(t, !later && headroom >= 28, answered)
		if !answered {
			require.Equal(t, in, b.Bytes())
			return
		}
		require.Equal(t, e.want.Answer(in), b.Bytes())
		checkSums(t, b.Bytes(), true)
	})
}
