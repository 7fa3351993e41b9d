package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

func taken(b *bucket, tries int) (n int) {
	for range tries {
		if b.take() {
			n++
		}
	}
	return n
}

func TestBucket(t *testing.T) {
	b := newBucket(1000)
	assert.Equal(t, 100, taken(&b, 1000), "a tenth of a second's worth")
	b.refill(50 * time.Millisecond)
	assert.Equal(t, 50, taken(&b, 1000))
	b.refill(time.Hour)
	assert.Equal(t, 100, taken(&b, 1000), "never more")

	slow := newBucket(2)
	for range 10 { // in steps that are each worth less than a token
		slow.refill(100 * time.Millisecond)
	}
	assert.Equal(t, 1, taken(&slow, 10), "at least one fits")
	none := newBucket(0)
	none.refill(time.Hour)
	assert.Zero(t, taken(&none, 10))
}

var arp = append([]byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6}, make([]byte, 46)...)

// TestKernelLimits: a class without allowance does not touch the others'.
func TestKernelLimits(t *testing.T) {
	limits := DefaultLimits()
	limits.Kernel[packet.ClassNeighbour] = 0
	r := newRig(t, options{limits: &limits})
	for range 10 {
		r.arrive(0, arp, request(frame.TCP, 22, 40000).Bytes())
	}
	r.poll()
	assert.Equal(t, 10, r.count(packet.DropKernelLimit))
	assert.Equal(t, 10, r.count(packet.Kernel))
	assert.Equal(t, 10, r.takeKernel())
	r.checkSums()
	assert.Zero(t, r.pool.InUse())
}

func TestAnswerLimit(t *testing.T) {
	for _, c := range []struct {
		rate              uint32
		answered, dropped int
	}{{0, 0, 20}, {1 << 20, 20, 0}} {
		limits := DefaultLimits()
		limits.Answers = c.rate
		r := newRig(t, options{flows: 10, limits: &limits})
		r.world.Configure(dr(frame.UDP, 53), dr(frame.UDP, 54, "10.0.0.1"))
		for range 10 {
			r.arrive(0, request(frame.UDP, 53, 1).Bytes(), bytes(request(frame.UDP, 54, 1), func(p *frame.Packet) { p.TTL = 1 }))
		}
		r.poll()
		assert.Equal(t, c.answered, r.count(packet.AnsweredNoBackend)+r.count(packet.AnsweredTTL))
		assert.Equal(t, c.dropped, r.count(packet.DropNoBackend)+r.count(packet.DropTTL))
		r.checkSums()
	}
}

func TestKernelRingFull(t *testing.T) {
	r := newRig(t, options{rings: 64})
	for range 100 {
		r.arrive(0, arp)
	}
	r.poll()
	assert.Equal(t, 64, r.count(packet.Kernel))
	assert.Equal(t, 36, r.count(packet.DropKernelRing))
	assert.Equal(t, 64, r.takeKernel())
	assert.Zero(t, r.pool.InUse())
	r.checkSums()
}

// TestTransmitFull: what the port does not take is counted as such, whatever
// it was.
func TestTransmitFull(t *testing.T) {
	r := newRig(t, options{flows: 10})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.1"))
	r.ports[1].Takes = 3
	for range 10 {
		r.arrive(0, request(frame.UDP, 53, 1).Bytes())
		r.cfg.Kernel.From[1].Push(r.pool.Copy(arp))
	}
	r.poll()
	r.poll()
	assert.Equal(t, 3, r.count(packet.Forwarded))
	assert.Equal(t, 3, r.count(packet.FromKernel))
	assert.Equal(t, 14, r.count(packet.DropTransmitFull))
	assert.Zero(t, r.pool.InUse())
	r.checkSums()
}

// TestTransmitFullInAMixedBurst: the same when a burst leaves by both ports and to
// the pool, and when all of it leaves by one.
func TestTransmitFullInAMixedBurst(t *testing.T) {
	r := newRig(t, options{flows: 10})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.1"))
	known, dying := request(frame.UDP, 53, 1).Bytes(), bytes(request(frame.UDP, 53, 1), func(p *frame.Packet) { p.TTL = 1 })
	foreign := bytes(request(frame.UDP, 53, 1), func(p *frame.Packet) { p.DstMAC[5] = 9 })
	r.arrive(0, known)
	r.poll()
	r.ports[0].Takes, r.ports[1].Takes = 1, 2
	for range 4 {
		r.arrive(0, known, dying, foreign)
	}
	r.poll()
	assert.Equal(t, 1+2, r.count(packet.Forwarded))
	assert.Equal(t, 1, r.count(packet.AnsweredTTL))
	assert.Equal(t, 4, r.count(packet.DropForeignMAC))
	assert.Equal(t, 2+3, r.count(packet.DropTransmitFull))
	for range 5 {
		r.arrive(0, known)
	}
	r.poll()
	assert.Equal(t, 3+2, r.count(packet.Forwarded))
	assert.Equal(t, 5+3, r.count(packet.DropTransmitFull))
	r.ports[1].Takes = 0
	r.arrive(0, known, known)
	r.poll()
	assert.Equal(t, 5, r.count(packet.Forwarded))
	assert.Equal(t, 8+2, r.count(packet.DropTransmitFull))
	assert.Zero(t, r.pool.InUse())
	r.checkSums()
}

// TestBurstsBeyondTheOutbox: both ports' bursts and a full outbox in one poll.
func TestBurstsBeyondTheOutbox(t *testing.T) {
	r := newRig(t, options{flows: 10})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.1"))
	for range 3 * packet.BurstSize {
		r.arrive(0, request(frame.UDP, 53, 1).Bytes())
		r.arrive(1, bytes(request(frame.UDP, 53, 2), func(p *frame.Packet) { p.DstMAC[5] = 2 }))
	}
	r.poll()
	assert.Equal(t, 6*packet.BurstSize, r.count(packet.Forwarded))
	assert.Zero(t, r.pool.InUse())
	r.checkSums()
}
