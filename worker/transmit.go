package worker

import "github.com/sluice-lb/sluice/packet"

// transmit ends the walk: every frame goes to a port, to the kernel, to another
// worker or back to the pool, and its verdict is counted, once.
func (w *Worker) transmit(slots []slot) {
	if port, ok := onePort(slots); ok {
		w.transmitAll(len(slots), port)
		return
	}
	for i := range slots {
		s := &slots[i]
		s.buf = w.in[i]
		verdict := s.verdict
		switch verdict.Outcome() {
		case packet.Transmitted:
			w.send(s.buf, s.port, verdict)
			continue
		case packet.ToKernel:
			verdict = w.toKernel(s)
		case packet.HandedOver:
			verdict = w.pushPeer(s)
		}
		w.stats.verdicts[verdict]++
		if verdict.IsDrop() {
			w.free(s.buf)
		}
	}
	w.flush()
}

// transmitAll transmits a burst as it came, all of which was forwarded to one port.
func (w *Worker) transmitAll(n int, port uint16) {
	sent := w.cfg.Ports[port].Tx(w.queue, &w.in, n)
	w.stats.verdicts[packet.Forwarded] += uint64(sent)
	w.stats.verdicts[packet.DropTransmitFull] += uint64(n - sent)
}

// onePort says which port all of a burst was forwarded to, if it was one.
func onePort(slots []slot) (port uint16, ok bool) {
	port = slots[0].port
	for i := range slots {
		if s := &slots[i]; s.verdict != packet.Forwarded || s.port != port {
			return 0, false
		}
	}
	return port, true
}

// send queues a frame for a port; flushPort transmits what is queued.
func (w *Worker) send(b *packet.Buf, port uint16, verdict packet.Verdict) {
	o := &w.out[port]
	o.burst[o.n], o.verdicts[o.n] = b, verdict
	o.n++
	w.stats.verdicts[verdict]++
	if o.n == packet.BurstSize {
		w.flushPort(o, port)
	}
}

// flushPort transmits what is queued for a port. What the port did not take was
// freed by it, and gets another verdict.
func (w *Worker) flushPort(o *outbox, port uint16) {
	sent := w.cfg.Ports[port].Tx(w.queue, &o.burst, o.n)
	for _, verdict := range o.verdicts[sent:o.n] {
		w.stats.verdicts[verdict]--
		w.stats.verdicts[packet.DropTransmitFull]++
	}
	o.n = 0
}

// free queues a frame for the pool.
func (w *Worker) free(b *packet.Buf) {
	w.drop.burst[w.drop.n] = b
	w.drop.n++
	if w.drop.n == packet.BurstSize {
		w.freeDropped()
	}
}

func (w *Worker) freeDropped() {
	w.cfg.Pool.Free(&w.drop.burst, w.drop.n)
	w.drop.n = 0
}

// flush transmits and frees what the walk has queued.
func (w *Worker) flush() {
	for port := range w.out {
		if o := &w.out[port]; o.n > 0 {
			w.flushPort(o, uint16(port))
		}
	}
	if w.drop.n > 0 {
		w.freeDropped()
	}
}
