package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// account updates the flow's state, its counters and its backend's. bytes is
// the length of the IP packet as it came.
func (w *Worker) account(s *slot, c *flow.Common, index flow.Index, dir flow.Dir, bytes uint64) {
	c.LastSeen = w.table.Now()
	if s.packet.Proto == packet.ProtoTCP {
		w.track(c, index, dir, s.packet.TCPFlags)
	}
	side := &c.Sides[dir&1]
	if side.Counts.Full() {
		w.table.Settle(index)
	}
	side.Counts = side.Counts.Plus(bytes)
	l := &w.load[c.Backend]
	l.count(dir, bytes)
	w.touchLoad(c.Backend, l)
}

// track follows the TCP connection's state.
func (w *Worker) track(c *flow.Common, index flow.Index, dir flow.Dir, flags uint8) {
	old := c.State
	next := flow.NextTCP(old, dir, c.Mode == service.ModeDR || c.Mode == service.ModeTun, flags)
	if next == old {
		return
	}
	w.table.SetState(index, next)
	if old.Active() != next.Active() {
		w.countFlow(c.Backend, old, -1)
		w.countFlow(c.Backend, next, +1)
	}
}
