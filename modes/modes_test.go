package modes_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

func datagram() frame.Packet {
	return frame.Packet{
		SrcMAC: world.RouterMAC, DstMAC: world.PortMAC(0), Src: "203.0.113.7", Dst: "192.0.2.10",
		Proto: frame.UDP, SrcPort: 40001, DstPort: 53, Payload: []byte{0, 0, 1},
	}
}

// TestFullNATComputedZero finds, for any tuple, the payload for which the
// rewritten checksum computes to 0: it must go out as 0xffff.
func TestFullNATComputedZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := datagram()
		repAddrs, repPorts := rapid.Uint64().Draw(t, "addresses"), rapid.Uint32().Draw(t, "ports")
		out, _ := rewritten(t, p, repAddrs, repPorts)
		word := binary.BigEndian.Uint16(out[40:])
		if word == 0xffff {
			return // is what is looked for
		}
		p.Payload = []byte{byte(word >> 8), byte(word), 1}
		out, e := rewritten(t, p, repAddrs, repPorts)
		assert.Equal(t, uint16(0xffff), binary.BigEndian.Uint16(out[40:]), "%+v", e)
		assert.NoError(t, frame.Valid(out))
	})
}

func rewritten(t *rapid.T, p frame.Packet, repAddrs uint64, repPorts uint32) ([]byte, *flow.Entry4) {
	f, parsed, ok := forwardable(p.Bytes())
	assert.True(t, ok)
	e := entry(&parsed, repAddrs, repPorts)
	modes.NAT4(f, &parsed, e, flow.Request)
	return f, e
}

// TestPrepareNothing: a flow without translation of a kind has deltas that
// change no checksum.
func TestPrepareNothing(t *testing.T) {
	f, p, ok := forwardable(datagram().Bytes())
	require.True(t, ok)
	same := flow.Tuple4{Addrs: p.Addrs, Ports: p.Ports, Proto: p.Proto}.Reverse()
	e := entry(&p, same.Addrs, same.Ports)
	want := datagram()
	want.TTL = 63
	for _, dir := range []flow.Dir{flow.Request, flow.Reply} {
		out := append([]byte(nil), f...)
		q := p
		if dir == flow.Reply { // whose packets have the reply tuple
			turn(out, &p, same.Addrs, same.Ports)
			q.Addrs, q.Ports = same.Addrs, same.Ports
			want.Src, want.Dst, want.SrcPort, want.DstPort = want.Dst, want.Src, want.DstPort, want.SrcPort
		}
		modes.NAT4(out, &q, e, dir)
		assert.Equal(t, want.Bytes(), out)
	}
}

func TestAnswerNeedsRoom(t *testing.T) {
	in, p, ok := parsed(datagram().Bytes())
	require.True(t, ok)
	for headroom, want := range map[int]bool{0: false, 27: false, 28: true} {
		b := packet.NewBuf(2048, headroom)
		b.SetLen(len(in))
		copy(b.Bytes(), in)
		assert.Equal(t, want, modes.Answer(b, &p, modes.TimeExceeded), headroom)
	}
}

// TestAnswerNoErrors: an ICMP error is never answered with another (RFC 1122).
func TestAnswerNoErrors(t *testing.T) {
	sent := datagram()
	f := frame.ICMPError{Type: 3, Code: 1}.Answer(sent.Back().Bytes()) // about a packet that was sent to the client
	p := packet.Parsed{}
	gate := packet.Gate{MAC: packet.MAC(f[0:6]).Raw()}
	require.Equal(t, packet.Pending, packet.Parse(f, &gate, &p))
	require.True(t, p.Error)
	b := packet.NewBuf(2048, 128)
	b.SetLen(len(f))
	copy(b.Bytes(), f)
	assert.False(t, modes.Answer(b, &p, modes.TimeExceeded))
	assert.Equal(t, f, b.Bytes())
}

// TestAnswerFragments: the first fragment is answered, later ones are not.
func TestAnswerFragments(t *testing.T) {
	for offset, want := range map[uint16]bool{0: true, 1: false, 0x1fff: false} {
		f := datagram()
		f.MF, f.Offset = true, offset
		in, p, ok := parsed(f.Bytes())
		require.True(t, ok)
		b := packet.NewBuf(2048, 128)
		b.SetLen(len(in))
		copy(b.Bytes(), in)
		assert.Equal(t, want, modes.Answer(b, &p, modes.TooBig(1400)), offset)
	}
}
