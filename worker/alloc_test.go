package worker

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/fake"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// TestNothingAllocates runs a mix of hits, new flows, expiry, every verdict,
// snapshot swaps and publishing: nothing of it may allocate.
func TestNothingAllocates(t *testing.T) {
	m := newMix(t)
	assert.Zero(t, testing.AllocsPerRun(50, m.round))
	m.checkSums()
	assert.Zero(t, m.pool.InUse(), "buffers lost")
	for v := packet.Pending + 1; v < packet.NumVerdicts; v++ {
		assert.Positive(t, m.count(v), "verdict %v not among what was measured", v)
	}
	assert.Positive(t, m.stats.expired)
	assert.Positive(t, m.stats.evicted)
	assert.Positive(t, m.published.Received.Load())
	assert.Equal(t, m.snaps[0].Revision, m.published.Revision(), "published since the last swap")
	assert.Positive(t, m.published.Gaps().Count())
	assert.Positive(t, m.published.Port(0).Full)
	assert.Positive(t, m.published.Port(0).HandedOver)
}

// mix is a worker, one of two, and the frames of a round.
type mix struct {
	*rig
	frames    [2][][]byte // by port
	fresh     []byte      // an UDP packet whose source port changes
	next      uint16
	tunnelled []byte // a packet for tun
	snaps     [2]*service.Snapshot
	swap      func(*service.Snapshot) (*service.Snapshot, error)
	burst     packet.Burst
}

func newMix(t *testing.T) *mix {
	// All but UDP flows outlive the test, and UDP ones no round.
	timeouts := flow.Timeouts{flow.StateUDP: 2 * flow.Handshake}
	for s := flow.StateSynSent; s < flow.NumStates; s++ {
		timeouts[s] = 300 * 24 * time.Hour
	}
	r := newRig(t, options{flows: 100, timeouts: timeouts, rings: 64, peers: NewPeers(2, 1), world: world.New(2)})
	m := &mix{rig: r}
	m.snapshots()
	m.frames = m.collect()
	m.fresh = m.mine(request(frame.UDP, 53, 10000))
	m.tunnelled = m.mine(request(frame.UDP, 57, 1000))
	m.swap = func(old *service.Snapshot) (*service.Snapshot, error) {
		if old == m.snaps[0] {
			return m.snaps[1], nil
		}
		return m.snaps[0], nil
	}
	return m
}

// snapshots prepares two views. In both, the backend of a flow is gone.
func (m *mix) snapshots() {
	list := []world.Service{
		dr(frame.TCP, 80, "10.0.0.1", "10.0.0.2"), dr(frame.UDP, 53, "10.0.0.1"), fullnat(frame.TCP, 8080, "10.0.0.3"),
		dr(frame.TCP, 81), dr(frame.UDP, 54, "10.0.0.8"), dr(frame.UDP, 55, "172.16.0.1"), dr(frame.UDP, 56, "10.0.0.99"),
		fullnat(frame.TCP, 82, "10.0.0.1"), dr(frame.TCP, 83, "10.0.0.1"),
	}
	list[7].Locals = nil
	for port := range uint16(2) { // whose backend is the same
		svc := dr(frame.TCP, 90+port, "10.0.0.4")
		svc.Mode, svc.Backends[0].Port = service.ModeNAT, 8080
		list = append(list, svc)
	}
	tun := dr(frame.UDP, 57, "10.0.0.5")
	tun.Mode, tun.Backends[0].Local = service.ModeTun, lip
	list = append(list, tun)
	m.world.Configure(list...)
	syn := request(frame.TCP, 83, 20000)
	ack := syn
	ack.Flags = frame.ACK
	m.arrive(0, m.mine(syn), m.mine(ack)) // open, or it would be evicted
	m.poll()
	list[8].Backends = nil
	m.world.Configure(list...)
	m.snaps[0] = m.world.Store.Load()
	m.world.Configure(append(list[:8:8], list[9:]...)...)
	m.world.Rewire(func(*world.Network) {})
	m.snaps[1] = m.world.Store.Load()
}

// mine is the packet with the first client port from its own on that makes it
// this worker's, or the other's when others.
func (m *mix) mine(p frame.Packet) []byte { return m.ownedBy(0, p) }

func (m *mix) ownedBy(id int, p frame.Packet) []byte {
	for {
		var parsed packet.Parsed
		gate := packet.Gate{MAC: binary.LittleEndian.Uint64(append(p.DstMAC[:], 0, 0))}
		f := p.Bytes()
		packet.Parse(f, &gate, &parsed)
		if owner(toeplitz(flow.Tuple4{Addrs: parsed.Addrs, Ports: parsed.Ports, Proto: parsed.Proto}), 2) == id {
			return f
		}
		p.SrcPort++
	}
}

// collect has a frame for every verdict but those that need a full ring or port.
func (m *mix) collect() [2][][]byte {
	udp := request(frame.UDP, 53, 10000)
	change := func(p frame.Packet, by func(*frame.Packet)) []byte { by(&p); return m.mine(p) }
	badSum, badHeader, badL4 := udp.Bytes(), udp.Bytes(), change(udp, func(p *frame.Packet) { p.Proto, p.Payload = 6, nil })
	badSum[24] ^= 1
	badHeader[14] = 0x41
	badL4 = reseal(badL4, 46, 0xf0)
	return [2][][]byte{{
		m.mine(request(frame.TCP, 80, 30000)), m.mine(request(frame.TCP, 8080, 30000)), m.mine(udp), // Forwarded
		change(udp, func(p *frame.Packet) { p.TTL = 1 }), // AnsweredTTL
		change(request(frame.UDP, 54, 1), func(p *frame.Packet) { p.DF, p.Payload = true, make([]byte, 1400) }),
		m.mine(request(frame.TCP, 81, 1)),    // AnsweredNoBackend
		m.mine(request(frame.TCP, 22, 1)),    // Kernel
		m.ownedBy(1, udp), m.ownedBy(1, udp), // Handover and HandoverRing
		udp.Bytes()[:40], badSum, badHeader, badL4,
		change(udp, func(p *frame.Packet) { p.DstMAC[5] = 99 }),
		change(udp, func(p *frame.Packet) {
			p.Options = []layers.IPv4Option{{OptionType: 137, OptionLength: 3, OptionData: []byte{4}}}
		}),
		change(udp, func(p *frame.Packet) { p.Src = "127.0.0.1" }),
		change(udp, func(p *frame.Packet) { p.MF = true }),
		append(append(udp.Bytes()[:12:12], 0x81, 0, 0, 7), udp.Bytes()[12:]...),
		change(udp, func(p *frame.Packet) { p.Dst, p.DstPort = lip, 4000 }), // NoFlow
		m.mine(request(frame.TCP, 83, 20000)),                               // BackendGone
		m.mine(request(frame.TCP, 82, 1)),                                   // NoLocalPort
		m.mine(request(frame.UDP, 55, 1)), m.mine(request(frame.UDP, 56, 1)),
		m.natRequest(90), m.natRequest(91), // ReplyInUse
		change(udp, func(p *frame.Packet) { p.Src = lip }), // OwnSource
	}, {
		arp, m.natError(), // BadICMPChecksum
	}}
}

// natRequest is a request in nat, whose owner depends on the client alone.
func (m *mix) natRequest(port uint16) []byte {
	for p := request(frame.TCP, port, 1000); ; p.SrcPort++ {
		client := flow.Tuple4{Addrs: uint64(rawAddress(netip.MustParseAddr(cip))), Ports: uint32(hostPort(p.SrcPort))}
		if owner(toeplitz(client), 2) == 0 {
			return p.Bytes()
		}
	}
}

// natError is a backend's ICMP error about such a request, its checksum wrong.
func (m *mix) natError() []byte {
	sent := frame.Packet{
		SrcMAC: world.PortMAC(1), DstMAC: world.BackendMAC(4), Src: cip, Dst: "10.0.0.4",
		Proto: frame.TCP, SrcPort: binary.BigEndian.Uint16(m.natRequest(90)[34:]), DstPort: 8080,
	}
	f := frame.ICMPError{Type: 3, Code: 1}.Answer(sent.Bytes())
	return reseal(f, 36, f[36]^1)
}

// reseal changes a byte of a frame whose IP checksum does not cover it.
func reseal(f []byte, at int, value byte) []byte {
	f[at] = value
	return f
}

// round is what is measured.
func (m *mix) round() {
	m.fill()
	m.later(3 * time.Second) // UDP flows expire, counters are published
	if err := m.world.Store.Update(m.swap); err != nil {
		panic(err)
	}
	m.Poll()
	m.drain()
	limits := m.Worker.kernelLimit
	m.Worker.kernelLimit = [packet.NumKernelClasses]bucket{}
	answers := m.answerLimit
	m.answerLimit = bucket{}
	m.fill()
	m.Poll() // TTL, TooBig, NoBackend, KernelLimit
	m.Worker.kernelLimit, m.answerLimit = limits, answers
	m.drain()
	m.flood()
}

// fill queues a frame of each kind, a chained one and one from the kernel.
func (m *mix) fill() {
	for port := range m.frames {
		for _, f := range m.frames[port] {
			m.ports[port].Receive(f)
		}
	}
	chained := m.pool.Copy(m.fresh)
	fake.Chain(chained, 2)
	m.ports[0].Queue(chained)
	m.ports[0].Queue(crowd(m.pool.Copy(m.tunnelled), m.tunnelled))
	m.cfg.Kernel.From[1].Push(m.pool.Copy(m.fresh))
}

// crowd moves a buffer's frame to its start, so that nothing fits in front.
func crowd(b *packet.Buf, f []byte) *packet.Buf {
	b.Prepend(b.Headroom())
	copy(b.Bytes(), f)
	b.Trim(len(f))
	return b
}

// flood overfills ports, rings and table: flows of one packet, which make room
// for each other, then of two, which do not, and ARP.
func (m *mix) flood() {
	m.ports[1].Takes = 5
	for range 200 {
		m.ports[1].Receive(m.frames[1][0])
	}
	for i := range 750 { // half of them are the other worker's
		if i < 250 || i%2 == 0 {
			m.next++
		}
		if i == 250 {
			m.poll()
			m.later(flow.Handshake * 3 / 2) // those may go now
		}
		binary.BigEndian.PutUint16(m.fresh[34:], m.next)
		m.ports[0].Receive(m.fresh)
	}
	m.poll()
	m.ports[1].Takes = -1
	m.later(3 * time.Second)
	m.Poll() // room for the next round
	m.drain()
}

// drain takes what went to the kernel and to the other worker.
func (m *mix) drain() {
	for _, ring := range m.cfg.Kernel.To {
		for n := ring.Pop(&m.burst, packet.BurstSize); n > 0; n = ring.Pop(&m.burst, packet.BurstSize) {
			m.pool.Free(&m.burst, n)
		}
	}
	n := m.cfg.Peers.rings[1][0].Pop(&m.burst, packet.BurstSize)
	m.pool.Free(&m.burst, n)
}

// TestMixIsRepeatable: a round does the same the tenth time as the second.
func TestMixIsRepeatable(t *testing.T) {
	m := newMix(t)
	m.round()
	for range 10 {
		before := m.stats.verdicts
		m.round()
		for v := packet.Pending + 1; v < packet.NumVerdicts; v++ {
			require.Greater(t, m.stats.verdicts[v], before[v], "verdict %v", v)
		}
	}
}
