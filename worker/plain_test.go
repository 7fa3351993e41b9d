package worker

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// TestParsePlainAgrees: what parsePlain and parsePlain6 take is what packet.Parse
// calls plain, they say the same about it, and the hash is the table's.
func TestParsePlainAgrees(t *testing.T) {
	r := newRig(t, options{flows: 1})
	random := rand.New(rand.NewPCG(5, 5))
	before := slot{packet: packet.Parsed{VLAN: 9, Error: true, Plain: 7}, verdict: packet.DropTTL}
	var four, six, left, zeros int
	for range 4000 {
		n := 1 + random.IntN(packet.BurstSize)
		for i := range n {
			r.in[i] = r.pool.Copy(mutated(random))
			r.in[i].Port = 0
			r.slots[i] = before
		}
		mask4, mask6 := r.parsePlain(n, 0), r.parsePlain6(0, n, 0)
		for i := range n {
			s, want, frame := &r.slots[i], packet.Parsed{}, r.in[i].Bytes()
			verdict := packet.Parse(frame, &r.gates[0], &want)
			switch {
			case mask4>>i&1 != 0:
				four++
				require.Equal(t, before, *s, "slots are left alone")
				s.buf = r.in[i]
				r.complete(s)
				if s.packet.Plain == 4 {
					require.Equal(t, r.table.Hash(s.tuple()), r.hashes[i])
				}
			case mask6>>i&1 != 0:
				six++
				require.Equal(t, before, *s, "slots are left alone")
				s.verdict = packet.Pending
				s.packet.SetPlain6(frame)
				tuple := (&slot{buf: r.in[i], packet: want}).tuple6()
				require.Equal(t, r.table.Hash6(&tuple), r.hashes[i])
			default:
				left++
				require.Equal(t, before, *s, "not taken, not touched")
				require.NotEqual(t, uint8(4), want.Plain, "%x", frame)
				if want.Plain == 6 {
					zeros++
					require.Zero(t, binary.LittleEndian.Uint64(frame[22:]), "what alone parsePlain6 leaves: %x", frame)
				}
				continue
			}
			require.Equal(t, want, s.packet, "%x", frame)
			require.Equal(t, verdict, s.verdict)
		}
		r.pool.Free(&r.in, n)
	}
	if runtime.GOARCH == "amd64" {
		require.Greater(t, four, 1000)
	}
	require.Greater(t, min(six, left), 1000)
	require.Positive(t, zeros)
}

// TestParseOfSeveralPorts: of a burst that was handed over, plain packets are plain
// whichever port they came by.
func TestParseOfSeveralPorts(t *testing.T) {
	r := newRig(t, options{flows: 1})
	for i := range 8 {
		p := request(frame.TCP, 80, uint16(i))
		p.DstMAC = world.PortMAC(i / 2 % 2)
		if i%2 == 1 {
			p.Src, p.Dst = cip6, vip6
		}
		r.in[i] = r.pool.Copy(p.Bytes())
		r.in[i].Port = uint16(i / 2 % 2)
	}
	r.parse(r.slots[:8], handedOver)
	require.EqualValues(t, [2]uint64{0x55, 0xaa}, [2]uint64{r.four, r.six})
	r.search(r.slots[:8], 0)
	for i := range 8 {
		s := &r.slots[i]
		require.Equal(t, packet.Pending, s.verdict, i)
		require.EqualValues(t, 4+i%2*2, s.packet.Plain, i)
		if i%2 == 0 {
			require.Equal(t, r.table.Hash(s.tuple()), r.hashes[i], i)
		}
	}
	r.pool.Free(&r.in, 8)
}

// mutated is a frame that is mostly good, with a few bits turned, and often the
// header's checksum right all the same.
func mutated(random *rand.Rand) []byte {
	p := request(frame.TCP, 80, uint16(random.Uint32()))
	p.Flags = uint8(random.Uint32())
	if random.IntN(2) == 0 {
		p.Proto = frame.UDP
	}
	if random.IntN(3) == 0 {
		p.Src, p.Dst = cip6, vip6
	}
	p.Padding, p.Payload = random.IntN(8), make([]byte, random.IntN(40))
	b := p.Bytes()
	for range random.IntN(3) {
		b[random.IntN(min(len(b), 60))] ^= 1 << random.IntN(8)
	}
	if random.IntN(16) == 0 {
		b[26+random.IntN(8)] = []byte{0, 127, 224, 255}[random.IntN(4)]
	}
	if b[14] == 0x60 {
		strange6(random, b)
	} else if random.IntN(3) > 0 && len(b) > 34 {
		binary.LittleEndian.PutUint16(b[24:], 0)
		binary.LittleEndian.PutUint16(b[24:], packet.Checksum(packet.Sum(b[14:34])))
	}
	return b[:len(b)-random.IntN(30)*random.IntN(2)]
}

// strange6 makes some addresses such as no host may send from or to, or nearly.
func strange6(random *rand.Rand, b []byte) {
	switch random.IntN(16) {
	case 0:
		copy(b[22:38], b[38:54])
	case 1:
		clear(b[22 : 30+random.IntN(8)])
	case 2:
		clear(b[22:37])
		b[37] = byte(random.IntN(3))
	case 3:
		b[22+16*random.IntN(2)] = 0xff
	}
}

// TestPlainAgrees: plain does what search, miss and rewrite do without it.
func TestPlainAgrees(t *testing.T) {
	for mode := service.ModeDR; mode <= service.ModeTun; mode++ {
		for _, proto := range []uint8{frame.TCP, frame.UDP} {
			t.Run(fmt.Sprintf("%s/%d", mode, proto), func(t *testing.T) { plainAgrees(t, mode, proto) })
		}
	}
}

func plainAgrees(t *testing.T, mode service.Mode, proto uint8) {
	const clients = 40
	limits := DefaultLimits()
	limits.Answers = 1 << 31
	var rigs [2]*rig
	for i := range rigs {
		rigs[i] = newRig(t, options{flows: clients, flows6: clients, seed: 7, limits: &limits})
		rigs[i].random = 1
		rigs[i].world.Configure(both(mode, proto, 80)...)
	}
	var known [2][][]byte // by port: frames of the flows, requests and replies
	for c := range clients {
		known[0] = append(known[0], request(proto, 80, uint16(c)).Bytes(), request6(proto, 80, uint16(c)).Bytes())
	}
	known[1] = step(t, rigs, 0, known[0]...)
	for i, f := range known[1] {
		known[1][i] = turned(f)
	}
	if mode == service.ModeDR || mode == service.ModeTun {
		known[1] = nil
	}
	random := rand.New(rand.NewPCG(uint64(mode), uint64(proto)))
	for turn := range 600 {
		port := random.IntN(2)
		var burst [][]byte // one packet a flow: plain ones come before others
		for _, i := range random.Perm(len(known[port]))[:random.IntN(len(known[port])+1)] {
			burst = append(burst, varied(random, known[port][i]))
		}
		step(t, rigs, port, burst...)
		for _, r := range rigs {
			unsettle(r, turn, mode, proto)
		}
	}
	require.Positive(t, rigs[0].count(packet.Forwarded))
	require.Positive(t, rigs[0].count(packet.AnsweredTTL))
}

// unsettle changes something from time to time.
func unsettle(r *rig, turn int, mode service.Mode, proto uint8) {
	services := both(mode, proto, 80)
	switch turn % 50 {
	case 10:
		services[0].Backends, services[1].Backends = services[0].Backends[:1], services[1].Backends[1:]
		r.world.Configure(services...)
	case 20:
		r.world.Configure(services...)
	case 30:
		r.world.Rewire(func(*world.Network) {})
	case 40:
		for i := range r.table.Cap() - r.table.Cap6() {
			if index := flow.Index(i + 1); r.table.At(index).State != flow.StateNone {
				for side := &r.table.Common(index).Sides[flow.Request]; !side.Counts.Full(); {
					side.Counts = side.Counts.Plus(0)
				}
				break
			}
		}
	}
}

// varied is a frame with other TCP flags, TTL or padding, a tag, or an
// option; small or large.
func varied(random *rand.Rand, known []byte) []byte {
	b := append([]byte(nil), known...)
	six, l4 := b[14]>>4 == 6, frame.L4(b)
	if proto := b[23]; !six && proto == frame.TCP || six && b[20] == frame.TCP {
		b[l4+13] = []byte{frame.ACK, frame.ACK, frame.ACK, frame.ACK, frame.ACK | 8, frame.FIN | frame.ACK, frame.RST, frame.SYN, frame.SYN | frame.ACK, 0}[random.IntN(10)]
	}
	ttl := []byte{64, 64, 64, 2, 1, 0}[random.IntN(6)]
	if six {
		b[21] = ttl
	} else {
		b[22] = ttl
		binary.LittleEndian.PutUint16(b[24:], 0)
		binary.LittleEndian.PutUint16(b[24:], packet.Checksum(packet.Sum(b[14:34])))
	}
	b = append(b, make([]byte, random.IntN(20))...)
	if random.IntN(10) == 0 {
		b = append(b[:12:12], append([]byte{0x81, 0, 0, 0}, b[12:]...)...) // priority
	}
	return b
}

// step gives both rigs the frames, the second one without plain, compares all
// they do and returns what they sent out of the other port.
func step(t *testing.T, rigs [2]*rig, port int, frames ...[]byte) [][]byte {
	var sent [2][2][][]byte
	for i, r := range rigs {
		for _, p := range r.ports {
			p.Sent = nil
		}
		for out := range r.ports {
			r.ports[out].Sent = func(f []byte) { sent[i][out] = append(sent[i][out], masked(f)) }
		}
		r.arrive(port, frames...)
		if i == 1 {
			for id := range r.load {
				r.load[id].mark |= 0x80
			}
		}
		r.poll()
		r.takeKernel()
		r.checkSums()
	}
	require.True(t, reflect.DeepEqual(sent[0], sent[1]), "frames: %x\nsent %x\nwithout plain %x", frames, sent[0], sent[1])
	a, b := rigs[0], rigs[1]
	require.Equal(t, a.stats.verdicts, b.stats.verdicts)
	for _, family := range []flow.Family{flow.IPv4, flow.IPv6} {
		for n := range uint32(a.table.Cap6()) {
			i := flow.MakeIndex(family, n+1)
			x, y := a.table.Common(i).State, b.table.Common(i).State
			require.True(t, x == y && a.table.Counters(i) == b.table.Counters(i), "flow %#x: %v, without plain %v", i, x, y)
		}
	}
	for id := range a.load {
		x, y := a.load[id], b.load[id]
		x.mark, y.mark = 0, 0
		require.True(t, x == y, "backend %d: %+v, without plain %+v", id, x, y)
	}
	return sent[0][1-port]
}

// masked is a frame without what counts the packets of all flows: the identification
// of tun's outer IPv4 header, and the checksum over it.
func masked(f []byte) []byte {
	f = append([]byte(nil), f...)
	if at := frame.L3(f); f[at]>>4 == 4 && (f[at+9] == 4 || f[at+9] == 41) {
		copy(f[at+4:at+6], []byte{0, 0})
		copy(f[at+10:at+12], []byte{0, 0})
	}
	return f
}
