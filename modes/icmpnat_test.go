package modes_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// FuzzNATError translates ICMP errors of both families in both directions: the
// quote becomes the other tuple as it stands, all else but the outer addresses, TTL
// and checksums stays, and the error is as valid as it was. One with a bad
// checksum is refused and left alone.
func FuzzNATError(f *testing.F) {
	seeds(func(b []byte) {
		for _, dir := range []bool{false, true} {
			f.Add(b, dir, dir, uint64(1), uint64(2), uint64(3), uint64(0x0a00000a_01000008), uint32(0x419c901f))
			f.Add(b, dir, !dir, ^uint64(0), uint64(0), ^uint64(0), uint64(0), ^uint32(0))
		}
	})
	f.Fuzz(func(t *testing.T, data []byte, reply, nat bool, a, b, c, d uint64, ports uint32) {
		in, p, ok := pending(data)
		if ttl, _ := hops(in, &p); !ok || !p.Error || ttl < 2 {
			return
		}
		mode, dir := service.ModeFullNAT, flow.Request
		if nat {
			mode = service.ModeNAT
		}
		if reply {
			dir = flow.Reply
		}
		out := append([]byte(nil), in...)
		var done bool
		var quote, outer []byte // addresses as they must be
		if p.IPv6 {
			done, quote, outer = translate6(out, &p, mode, dir, words(a, b, c, d), ports)
		} else {
			done, quote, outer = translate4(out, &p, mode, dir, d, ports)
		}
		sum, _ := frame.L4Sum(in[p.L3:p.End])
		require.Equal(t, sum == 0xffff, done)
		if !done {
			require.Equal(t, in, out, "changed what is refused")
			return
		}
		checkError(t, in, out, &p, quote, outer, ports)
	})
}

// translate4 has the error's flow translate it, whose other tuple is as given. It
// returns the addresses that the quote and the outer header must have.
func translate4(f []byte, p *packet.Parsed, mode service.Mode, dir flow.Dir, addrs uint64, ports uint32) (done bool, quote, outer []byte) {
	var e flow.Entry4
	e.Proto, e.Mode = p.Proto, mode
	e.Addrs[dir], e.Sides[dir].Ports = p.Addrs, p.Ports
	e.Addrs[dir.Other()], e.Sides[dir.Other()].Ports = addrs, ports
	modes.Prepare4(&e)
	quote = binary.LittleEndian.AppendUint64(nil, addrs)
	outer = append(append([]byte{}, quote[4:]...), quote[:4]...)
	if dir == flow.Request && mode == service.ModeNAT {
		copy(outer, f[p.L3+12:p.L3+16]) // from whoever sent it
	}
	return modes.NATError4(f, p, &e, dir), quote, outer
}

func translate6(f []byte, p *packet.Parsed, mode service.Mode, dir flow.Dir, addrs [4]uint64, ports uint32) (done bool, quote, outer []byte) {
	q := packet.IPv6At(f[p.Quoted():], 0).AddrsRaw()
	known := flow.Tuple6{Addrs: words(q[2], q[3], q[0], q[1]), Ports: p.Ports, Proto: p.Proto}
	other := flow.Tuple6{Addrs: addrs, Ports: ports, Proto: p.Proto}
	e := entry6(known, other, mode)
	if dir == flow.Reply {
		e = entry6(other, known, mode)
	}
	for _, word := range addrs {
		quote = binary.LittleEndian.AppendUint64(quote, word)
	}
	outer = append(append([]byte{}, quote[16:]...), quote[:16]...)
	if dir == flow.Request && mode == service.ModeNAT {
		copy(outer, f[p.L3+8:p.L3+24])
	}
	return modes.NATError6(f, p, e, dir), quote, outer
}

func checkError(t *testing.T, in, out []byte, p *packet.Parsed, quote, outer []byte, ports uint32) {
	t.Helper()
	l3, q, l4, icmp := int(p.L3), p.Quoted(), int(p.QuotedL4), int(p.L4)
	at, n := 12, 8 // of the addresses in their header
	if p.IPv6 {
		at, n = 8, 32
	}
	ttl, ttlAt := hops(in, p)
	require.Equal(t, ttl-1, out[ttlAt], "TTL")
	require.Equal(t, outer, out[l3+at:l3+at+n], "outer addresses")
	require.Equal(t, quote, out[q+at:q+at+n], "quoted addresses")
	require.Equal(t, ports, binary.LittleEndian.Uint32(out[l4:]), "quoted ports")
	changed := [][2]int{{ttlAt, ttlAt + 1}, {l3 + at, l3 + at + n}, {q + at, q + at + n}, {l4, l4 + 4}, {icmp + 2, icmp + 4}}
	if !p.IPv6 {
		changed = append(changed, [2]int{l3 + 10, l3 + 12}, [2]int{q + 10, q + 12})
		hl := int(in[q]&0xf) * 4
		require.Equal(t, frame.Sum(in[q:q+hl], 0)%0xffff, frame.Sum(out[q:q+hl], 0)%0xffff, "quoted header wrong by")
	}
	switch sum := l4 + 16; {
	case p.Proto == packet.ProtoUDP:
		changed = append(changed, [2]int{l4 + 6, l4 + 8})
		require.Equal(t, in[l4+6]|in[l4+7] == 0, out[l4+6]|out[l4+7] == 0, "no quoted checksum stays none")
	case l4+packet.TCPLen <= int(p.End):
		changed = append(changed, [2]int{sum, sum + 2})
	}
	require.Equal(t, masked(in, changed...), masked(out, changed...), "other bytes")
	require.NoError(t, frame.Valid(out))
	checkQuoted(t, in[q:p.End], out[q:p.End], l4-q, p.Proto)
}

// checkQuoted: the quoted transport checksum is wrong by what it was, as far as
// the words can tell that a quote has: the pseudo header's and the first eight bytes.
func checkQuoted(t *testing.T, in, out []byte, l4 int, proto uint8) {
	at := l4 + 6
	if proto == packet.ProtoTCP {
		if at = l4 + 16; len(in) < l4+packet.TCPLen {
			return
		}
	} else if in[at]|in[at+1] == 0 {
		return
	}
	covered := func(ip []byte) uint16 { // what changes, and the checksum
		addrs := ip[12:20]
		if ip[0]>>4 == 6 {
			addrs = ip[8:40]
		}
		return frame.Sum(append(append([]byte{}, ip[l4:l4+4]...), ip[at:at+2]...), uint32(frame.Sum(addrs, 0))) % 0xffff
	}
	require.Equal(t, covered(in), covered(out), "quoted checksum wrong by")
}
