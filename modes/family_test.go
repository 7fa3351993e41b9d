package modes_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/fake"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// pending is parsed for both families, with known VLANs, and errors too.
func pending(data []byte) (f []byte, p packet.Parsed, ok bool) {
	f = append([]byte(nil), data...)
	if len(f) > 2000 || len(f) < 38 {
		return nil, p, false
	}
	if ip := f[frame.L3(f):]; ip[0]>>4 == 4 {
		if hl := int(ip[0]&0xf) * 4; hl >= 20 && hl <= len(ip) {
			ip[10], ip[11] = 0, 0
			binary.BigEndian.PutUint16(ip[10:], ^frame.Sum(ip[:hl], 0))
		}
	}
	for port := range 2 {
		gate := packet.Gate{MAC: world.PortMAC(port).Raw()}
		for _, vlan := range world.VLANs()[port] {
			gate.Allow(vlan)
		}
		if packet.Parse(f, &gate, &p) == packet.Pending {
			return f, p, true
		}
	}
	return nil, p, false
}

// hops is the TTL or hop limit, and where it lies; 0 of no frame.
func hops(f []byte, p *packet.Parsed) (ttl byte, at int) {
	if f == nil {
		return 0, 0
	}
	if at = int(p.L3) + 8; p.IPv6 {
		at = int(p.L3) + 7
	}
	return f[at], at
}

// words are four numbers as addresses.
func words(a, b, c, d uint64) [4]uint64 { return [4]uint64{a, b, c, d} }

// entry6 is the flow of a request with that tuple.
func entry6(request flow.Tuple6, reply flow.Tuple6, mode service.Mode) *flow.Entry6 {
	var e flow.Entry6
	e.Proto, e.Mode = request.Proto, mode
	e.SetTuple(flow.Request, &request)
	e.SetTuple(flow.Reply, &reply)
	modes.Prepare6(&e)
	return &e
}

// FuzzNAT6 is FuzzNAT4 for IPv6.
func FuzzNAT6(f *testing.F) {
	seeds(func(b []byte) {
		f.Add(b, uint64(1), uint64(2), uint64(3), uint64(4), uint32(0x419c901f))
		f.Add(b, ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint32(0))
		f.Add(b, uint64(0), uint64(0), uint64(0), uint64(0), uint32(0))
	})
	f.Fuzz(func(t *testing.T, data []byte, a, b, c, d uint64, ports uint32) {
		in, p, ok := pending(data)
		if ttl, _ := hops(in, &p); !ok || !p.IPv6 || p.Fragment || p.Error || ttl < 2 {
			return
		}
		reqTuple := flow.Tuple6{Addrs: packet.IPv6At(in, p.L3).AddrsRaw(), Ports: p.Ports, Proto: p.Proto}
		repTuple := flow.Tuple6{Addrs: words(a, b, c, d), Ports: ports, Proto: p.Proto}
		e := entry6(reqTuple, repTuple, service.ModeFullNAT)
		request := append([]byte(nil), in...)
		modes.NAT6(request, &p, e, flow.Request)
		checkNAT6(t, in, request, &p, repTuple.Reverse())

		received := append([]byte(nil), request...)
		packet.IPv6At(received, p.L3).SetAddrs(&repTuple.Addrs) // the sums stay: both ends are exchanged
		binary.LittleEndian.PutUint32(received[p.L4:], repTuple.Ports)
		back := append([]byte(nil), received...)
		modes.NAT6(back, &p, e, flow.Reply)
		checkNAT6(t, received, back, &p, reqTuple.Reverse())
	})
}

func checkNAT6(t *testing.T, in, out []byte, p *packet.Parsed, tuple flow.Tuple6) {
	t.Helper()
	require.Equal(t, tuple.Addrs, packet.IPv6At(out, p.L3).AddrsRaw(), "addresses")
	require.Equal(t, tuple.Ports, binary.LittleEndian.Uint32(out[p.L4:]), "ports")
	ttl, at := hops(in, p)
	require.Equal(t, ttl-1, out[at], "hop limit")
	sum, l3 := checksumAt(p), int(p.L3)
	changed := [][2]int{{at, at + 1}, {l3 + 8, l3 + 40}, {int(p.L4), int(p.L4) + 4}, {sum, sum + 2}}
	require.Equal(t, masked(in, changed...), masked(out, changed...), "other bytes")
	before, none := wrongBy(in, p)
	after, noneAfter := wrongBy(out, p)
	require.Equal(t, none, noneAfter, "no UDP checksum stays none, and one does not become none")
	if !none {
		require.Equal(t, before, after, "checksum wrong by")
	}
}

// FuzzAnswerAny is FuzzAnswer for both families, tagged or not, from the packet's
// destination and from another address.
func FuzzAnswerAny(f *testing.F) {
	seeds(func(b []byte) {
		f.Add(b, uint8(0), uint16(0), uint8(fake.Headroom))
		f.Add(b, uint8(4), uint16(0), uint8(48))
		f.Add(b, uint8(2), uint16(1400), uint8(47))
	})
	f.Fuzz(func(t *testing.T, data []byte, which uint8, mtu uint16, headroom uint8) {
		in, p, ok := pending(data)
		if !ok {
			return
		}
		b := packet.NewBuf(4096, int(headroom))
		b.SetLen(len(in))
		copy(b.Bytes(), in)
		send := []modes.ICMPError{modes.TimeExceeded, modes.PortUnreachable, modes.TooBig(mtu)}[which%3]
		want := []frame.ICMPError{{Type: 11}, {Type: 3, Code: 3}, {Type: 3, Code: 4, MTU: mtu}}[which%3]
		room, from := 28, frame.IP("192.0.2.1")
		if p.IPv6 {
			want = []frame.ICMPError{{Type: 3}, {Type: 1, Code: 4}, {Type: 2, MTU: mtu}}[which%3]
			room, from = 48, frame.IP("2001:db8::1")
		}
		expected := want.Answer(in)
		if which&4 != 0 {
			send, expected = send.From(address(from)), want.AnswerFrom(from, in)
		}
		later := p.Fragment && (p.IPv6 || binary.BigEndian.Uint16(in[p.L3+6:])&0x1fff != 0)
		answered := modes.Answer(b, &p, send)
		require.Equal(t, !p.Error && !later && int(headroom) >= room, answered)
		if !answered {
			require.Equal(t, in, b.Bytes(), "changed without an answer")
			return
		}
		require.Equal(t, expected, b.Bytes())
		require.NoError(t, frame.Valid(b.Bytes()))
	})
}
