package worker

import (
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// receive takes a burst from a port through all stages.
func (w *Worker) receive(port int) int {
	n := w.cfg.Ports[port].Rx(w.queue, &w.in)
	if n == 0 {
		return 0
	}
	w.stats.received += uint64(n)
	w.arrivals[port].count(n)
	w.walk(n, port)
	return n
}

// handedOver is the port of a burst whose frames have Buf.Port from another worker.
const handedOver = -1

// walk takes w.in[:n] through the stages; port is what they came by.
func (w *Worker) walk(n, port int) {
	slots := w.slots[:n]
	w.removed, w.openings.opened = false, 0
	w.parse(slots, port)
	w.lookup(slots)
	done := w.plain(w.four, w.six, packet.SYN|packet.ACK)
	if done == 1<<n-1 && w.short.any == w.short.all {
		w.transmitAll(n, service.Exit(w.short.any).Port())
		return
	}
	w.settle(slots, done)
	w.search(slots, done)
	w.miss(slots)
	w.plainNew(slots)
	w.rewrite(slots)
	w.transmit(slots)
}
