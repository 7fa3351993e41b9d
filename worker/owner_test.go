package worker

import (
	"encoding/binary"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/fake"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// pair is two workers with ports of their own in one world.
type pair struct {
	t       *testing.T
	workers [2]*rig
	mu      sync.Mutex
	sent    [2][][]byte // by port, from both
}

func newPair(t *testing.T) *pair {
	p := &pair{t: t}
	shared := options{flows: 1000, flows6: 1000, world: world.New(2), pool: fake.NewPool(4096), peers: NewPeers(2, 512), idle: Sleep}
	for id := range p.workers {
		shared.id = id
		p.workers[id] = newRig(t, shared)
		for port, fp := range p.workers[id].ports {
			fp.Sent = func(b []byte) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.sent[port] = append(p.sent[port], append([]byte(nil), b...))
			}
		}
	}
	return p
}

// work runs both workers until they have ended as many frames as given.
func (p *pair) work(frames uint64) {
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, w := range p.workers {
		wg.Go(func() { w.Run(&stop) })
	}
	ended := func() (n uint64) {
		for _, w := range p.workers {
			for v := packet.Pending + 1; v < packet.NumVerdicts; v++ {
				if v.Outcome() != packet.HandedOver {
					n += w.Stats().Verdicts[v].Load()
				}
			}
		}
		return n
	}
	assert.Eventually(p.t, func() bool { return ended() >= frames }, 20*time.Second, 5*time.Millisecond)
	stop.Store(true)
	wg.Wait()
	assert.Equal(p.t, frames, ended())
}

// TestTwoWorkers: packets of fullnat flows arrive anywhere, in both directions,
// and end at the worker that has the flow; none is lost.
func TestTwoWorkers(t *testing.T) {
	const clients = 200
	p := newPair(t)
	p.workers[0].world.Configure(fullnat(frame.TCP, 80, "10.0.0.1", "10.0.0.2"), dr(frame.UDP, 53, "10.0.0.1"))
	for i := range clients {
		p.workers[i%2].arrive(0, request(frame.TCP, 80, uint16(20000+i)).Bytes(), request(frame.UDP, 53, uint16(20000+i)).Bytes())
	}
	p.work(2 * clients)
	require.Len(t, p.sent[1], 2*clients)
	replies := 0
	for i, f := range p.sent[1] {
		if f[23] == frame.TCP {
			p.workers[i/7%2].arrive(1, answer(f))
			replies++
		}
	}
	require.Equal(t, clients, replies)
	p.work(3 * clients)
	p.checkReplies(clients)
	p.checkOwners(2 * clients)
}

// answer is the backend's answer to a forwarded request: everything turned.
func answer(f []byte) []byte {
	out := append([]byte(nil), f...)
	copy(out[0:6], f[6:12])
	copy(out[6:12], f[0:6])
	copy(out[26:30], f[30:34])
	copy(out[30:34], f[26:30])
	copy(out[34:36], f[36:38])
	copy(out[36:38], f[34:36])
	return out
}

func (p *pair) checkReplies(clients int) {
	seen := map[uint16]bool{}
	for _, f := range p.sent[0] {
		assert.NoError(p.t, frame.Valid(f))
		assert.Equal(p.t, append(frame.IP(vip), frame.IP(cip)...), net.IP(f[26:34]))
		seen[binary.BigEndian.Uint16(f[36:])] = true
	}
	assert.Len(p.t, seen, clients, "each client got its reply")
}

func (p *pair) checkOwners(flows int) {
	total := 0
	for id, w := range p.workers {
		w.checkSums()
		assert.Positive(p.t, w.count(packet.Handover), "worker %d handed over", id)
		list := w.entries()
		total += len(list)
		assert.Greater(p.t, len(list), flows/4, "worker %d has its share", id)
		for _, e := range list {
			assert.Equal(p.t, id, owner(toeplitz(e.Tuple(flow.Request)), 2))
			if e.Addrs[flow.Reply] != 0 {
				assert.Equal(p.t, id, owner(toeplitz(e.Tuple(flow.Reply)), 2))
			}
		}
	}
	assert.Equal(p.t, flows, total)
	assert.Zero(p.t, p.workers[0].pool.InUse())
}

// TestHandoverKeepsPort: answers to packets that were handed over leave where
// the packets came in.
func TestHandoverKeepsPort(t *testing.T) {
	p := newPair(t)
	p.workers[0].world.Configure(dr(frame.UDP, 53))
	for i := range 20 {
		p.workers[0].arrive(1, bytes(request(frame.UDP, 53, uint16(20000+i)), func(f *frame.Packet) { f.DstMAC = world.PortMAC(1) }))
	}
	p.work(20)
	assert.Len(t, p.sent[1], 20)
	assert.Positive(t, p.workers[1].count(packet.AnsweredNoBackend))
}

// TestHandoverRingFull: what the other worker does not take is dropped by name.
func TestHandoverRingFull(t *testing.T) {
	r := newRig(t, options{flows: 10, world: world.New(2), peers: NewPeers(2, 4)})
	r.world.Configure(dr(frame.UDP, 53))
	for i := range 100 {
		r.arrive(0, request(frame.UDP, 53, uint16(i)).Bytes())
	}
	r.poll()
	assert.Equal(t, 4, r.count(packet.Handover))
	assert.Positive(t, r.count(packet.DropHandoverRing))
	assert.Equal(t, 100, r.count(packet.Handover)+r.count(packet.DropHandoverRing)+r.count(packet.AnsweredNoBackend))
	r.checkSums()
}
