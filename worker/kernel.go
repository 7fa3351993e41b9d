package worker

import (
	"time"

	"github.com/sluice-lb/sluice/packet"
)

// toKernel gives a frame to the kernel path, within its class's limit.
func (w *Worker) toKernel(s *slot) packet.Verdict {
	class := s.packet.Class
	if !w.kernelLimit[class].take() {
		return packet.DropKernelLimit
	}
	if !w.cfg.Kernel.To[class].Push(s.buf) {
		return packet.DropKernelRing
	}
	return packet.Kernel
}

// fromKernel transmits what the kernel sent into the twin of port, as it is.
func (w *Worker) fromKernel(port int) int {
	ring := w.cfg.Kernel.From[port]
	if ring.Len() == 0 {
		return 0
	}
	n := ring.Pop(&w.in, packet.BurstSize)
	w.stats.generated += uint64(n)
	for _, b := range w.in[:n] {
		w.send(b, uint16(port), packet.FromKernel)
	}
	w.flush()
	return n
}

// bucket is a token bucket that refill tops up, for no more than a tenth of a
// second's worth.
type bucket struct {
	rate   uint32 // per second
	tokens float64
}

func newBucket(rate uint32) bucket { return bucket{rate, float64(rate) / 10} }

func (b *bucket) take() bool {
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (b *bucket) refill(elapsed time.Duration) {
	limit := max(float64(b.rate)/10, 1)
	b.tokens = min(limit, b.tokens+elapsed.Seconds()*float64(b.rate))
}

// refillEvery is often enough for limits of a tenth of a second's worth.
const refillEvery = 100 * time.Microsecond

// refill tops all limits up.
func (w *Worker) refill(now time.Duration) {
	elapsed := now - w.lastRefill
	if elapsed < refillEvery {
		return
	}
	w.lastRefill = now
	for class := range w.kernelLimit {
		w.kernelLimit[class].refill(elapsed)
	}
	w.answerLimit.refill(elapsed)
}
