package conformance

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
	"github.com/sluice-lb/sluice/worker"
)

// mutants is how many mutated frames of each family TestMutatedFrames sends;
// SLUICE_MUTANTS asks for another number.
func mutants(t *testing.T) int {
	text := os.Getenv("SLUICE_MUTANTS")
	if text == "" {
		return defaultMutants
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// TestMutatedFrames sends the table's frames, mutated, through a worker with
// services of every mode: every frame ends once, under one verdict, every buffer
// comes back, and what is transmitted has a right IP header.
func TestMutatedFrames(t *testing.T) {
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			m := &mutator{Rand: rand.New(rand.NewPCG(3, 1)), seeds: seedsOf(f)}
			require.Greater(t, len(m.seeds), 100)
			b := newBench(t, m)
			n := mutants(t)
			for sent := 0; sent < n; sent += packet.BurstSize {
				if sent%(n/64+1) < packet.BurstSize {
					b.world.Configure(everyMode(service.Mode(1+m.IntN(4)), service.Mode(1+m.IntN(4)))...)
				}
				b.burst()
			}
			b.check(n)
		})
	}
}

// seedsOf are the table's frames of a family, of both ports.
func seedsOf(f family) (seeds [][]byte) {
	locals := Locals{0, 40001, 40002, 40003, 40004, 40005, 40006, 40007, 40008, 40009}
	for _, c := range Cases() {
		for _, s := range c.Steps {
			for _, in := range s.In {
				b := in.Bytes(&locals)
				if len(b) > 18 && (b[frame.L3(b)]>>4 == 6) == (f.name == ip6.name) {
					seeds = append(seeds, b)
				}
			}
		}
	}
	slices.SortFunc(seeds, bytes.Compare) // some cases are made in any order
	return seeds
}

// everyMode is services of both families, TCP in one mode and UDP in the other.
func everyMode(tcp, udp service.Mode) (all []world.Service) {
	for _, f := range families {
		for i, mode := range []service.Mode{tcp, udp} {
			proto := []uint8{frame.TCP, frame.UDP}[i]
			svc := f.service(mode, proto, 1, 2, 6, 9, 21, 99)
			if mode == service.ModeTun {
				svc = f.tunnel(ip4, proto, 1, 6, 9, 21)
				svc.Backends = append(svc.Backends, f.tunnel(ip6, proto, 2, 22).Backends...)
			}
			all = append(all, svc)
		}
	}
	return all
}

// bench is a rig that counts instead of keeping what comes out.
type bench struct {
	*rig
	m          *mutator
	sent, kept int
	kernels    packet.Burst
}

func newBench(t *testing.T, m *mutator) *bench {
	most := worker.Limits{Answers: 1 << 31} // or the clock decides what becomes of most frames
	for class := range most.Kernel {
		most.Kernel[class] = 1 << 31
	}
	b := &bench{rig: newRigWith(t, most, 1+mutants(t)/100), m: m} // full near the end: what is young makes no room
	for i, p := range b.ports {
		p.Sent = func(f []byte) { b.sent++; b.checkSent(i, f) }
	}
	return b
}

// checkSent looks at a transmitted frame: from the port, within its size, the
// header's checksum and length right.
func (b *bench) checkSent(port int, f []byte) {
	mac := world.PortMAC(port)
	if string(f[6:12]) != string(mac[:]) && binary.BigEndian.Uint32(f[6:10]) != 0x00005e00 { // or VRRP's, of an answer
		require.Fail(b, "sent", "from another address: %x", f)
	}
	ip := f[frame.L3(f):]
	require.LessOrEqual(b, len(ip), world.JumboMTU)
	switch ip[0] >> 4 {
	case 4:
		require.EqualValues(b, len(ip), binary.BigEndian.Uint16(ip[2:]), "%x", f)
		require.EqualValues(b, 0xffff, frame.Sum(ip[:4*int(ip[0]&0xf)], 0), "%x", f)
	case 6:
		require.EqualValues(b, len(ip)-40, binary.BigEndian.Uint16(ip[4:]), "%x", f)
	default:
		require.Fail(b, "sent", "no IP: %x", f)
	}
}

func (b *bench) burst() {
	for range packet.BurstSize {
		f := b.m.frame(world.JumboMTU + 18)
		port := b.m.IntN(2)
		if len(f) > 6 && b.m.IntN(16) > 0 { // mostly where it belongs
			port = int(f[5]) / 2 % 2
		}
		b.ports[port].Receive(f)
	}
	for b.ports[0].Waiting()+b.ports[1].Waiting() > 0 {
		b.worker.Poll()
	}
	for _, ring := range b.kernel.To {
		for n := ring.Pop(&b.kernels, packet.BurstSize); n > 0; n = ring.Pop(&b.kernels, packet.BurstSize) {
			b.kept += n
			b.pool.Free(&b.kernels, n)
		}
	}
}

// check is the invariant, and that the mix was worth its name.
func (b *bench) check(n int) {
	var stop atomic.Bool
	stop.Store(true)
	b.worker.Run(&stop) // publishes
	s := b.worker.Stats()
	outcomes := map[packet.Outcome]int{}
	seen := 0
	for v := packet.Pending; v < packet.NumVerdicts; v++ {
		count := int(s.Verdicts[v].Load())
		outcomes[v.Outcome()] += count
		seen += min(count, 1)
	}
	total := (n + packet.BurstSize - 1) / packet.BurstSize * packet.BurstSize
	assert.EqualValues(b, total, s.Received.Load())
	assert.Zero(b, outcomes[packet.Undecided])
	assert.Zero(b, outcomes[packet.HandedOver])
	assert.Equal(b, total, outcomes[packet.Transmitted]+outcomes[packet.ToKernel]+outcomes[packet.Dropped])
	assert.Equal(b, b.sent, outcomes[packet.Transmitted])
	assert.Equal(b, b.kept, outcomes[packet.ToKernel])
	assert.Zero(b, b.pool.InUse(), "buffers lost")
	b.Logf("%d frames: %v, %d verdicts", total, outcomes, seen)
	assert.Greater(b, seen, 18, "verdicts reached")
	assert.Greater(b, outcomes[packet.Transmitted], total/10)
}

// mutator makes frames from seeds.
type mutator struct {
	*rand.Rand
	seeds [][]byte
	buf   []byte
}

// frame is a seed with some mutations, at most room bytes; half of those with an
// IPv4 header get a right checksum, or hardly any would pass it.
func (m *mutator) frame(room int) []byte {
	m.buf = append(m.buf[:0], m.seeds[m.IntN(len(m.seeds))]...)
	for range m.IntN(4) {
		m.mutate()
	}
	m.buf = m.buf[:min(len(m.buf), room)]
	if m.IntN(2) == 0 && len(m.buf) > 38 {
		reseal(m.buf)
	}
	return m.buf
}

func (m *mutator) mutate() {
	n := len(m.buf)
	if n == 0 {
		return
	}
	at := m.IntN(n)
	if m.IntN(2) == 0 { // where the headers are
		at = m.IntN(min(n, 80))
	}
	switch m.IntN(8) {
	case 0, 1:
		m.buf[at] ^= 1 << m.IntN(8)
	case 2, 3:
		m.buf[at] = byte(m.Uint32())
	case 4: // numbers that lie at limits
		limits := [...]uint16{0, 1, 0x7fff, 0x8000, 0xffff, uint16(n), uint16(n - 14)}
		binary.BigEndian.PutUint16(append(m.buf, 0)[at:at+2], limits[m.IntN(len(limits))])
	case 5:
		m.buf = m.buf[:at]
	case 6:
		m.buf = append(m.buf, make([]byte, m.IntN(100))...)
	case 7: // another frame's rest
		if other := m.seeds[m.IntN(len(m.seeds))]; at < len(other) {
			m.buf = append(m.buf[:at], other[at:]...)
		}
	}
}

// reseal makes the checksum of an IPv4 header right.
func reseal(f []byte) {
	ip := f[frame.L3(f):]
	if hl := int(ip[0]&0xf) * 4; ip[0]>>4 == 4 && hl >= 20 && hl <= len(ip) {
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], ^frame.Sum(ip[:hl], 0))
	}
}
