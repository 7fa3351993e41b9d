package worker

import (
	"net/netip"
	"sync/atomic"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// hopID is the next hop of the flow's packets in direction dir. The entry caches
// the ids until routes or the set of neighbours change.
func (w *Worker) hopID(c *flow.Common, index flow.Index, dir flow.Dir) service.NextHopID {
	if c.NetEpoch != w.snap.Net.Epoch {
		w.resolve(c, w.client(index))
	}
	return c.Sides[dir&1].Hop
}

// noHop says why a packet of a flow cannot leave.
func (w *Worker) noHop(c *flow.Common, index flow.Index, dir flow.Dir) packet.Verdict {
	if dir == flow.Reply {
		return w.unresolved(w.client(index).Addr())
	}
	return w.unresolved(w.snap.Backends.At(uint32(c.Backend)).Addr)
}

// resolve looks both next hops of a flow up and notes for which view of the
// network they hold. An id that is not found stays 0. Several gateways share
// clients among them.
func (w *Worker) resolve(c *flow.Common, client service.Wire) {
	net, share := w.snap.Net, uint32(0)
	if net.Shared {
		share = client.Spread()
	}
	c.Sides[flow.Request].Hop = w.backendHop(c.Backend, share)
	c.Sides[flow.Reply].Hop = 0
	if replies(c.Mode) {
		c.Sides[flow.Reply].Hop, _ = net.NextHopWire(client, share)
	}
	c.NetEpoch = net.Epoch
}

// backendHop is the next hop towards a backend, 0 when there is none yet. It is the
// same for all flows unless gateways share them.
func (w *Worker) backendHop(id service.BackendID, share uint32) service.NextHopID {
	net, l := w.snap.Net, &w.load[id]
	if l.netEpoch == net.Epoch {
		return l.hop
	}
	hop, _ := net.NextHop(w.snap.Backends.At(uint32(id)).Addr, share)
	if hop != 0 && !net.Shared {
		l.hop, l.netEpoch = hop, net.Epoch
	}
	return hop
}

// client is the address that a flow was opened from.
func (w *Worker) client(index flow.Index) service.Wire {
	if index.IPv6() {
		request := &w.table.At6(index).Addrs[flow.Request]
		return service.Wire6(request[0], request[1], 0, 0)
	}
	return service.Wire4(uint32(w.table.At(index).Addrs[flow.Request]), 0, 0)
}

// unresolved says why there is no next hop towards dst, and lets the kernel
// resolve it if that helps.
func (w *Worker) unresolved(dst netip.Addr) packet.Verdict {
	if _, verdict := w.snap.Net.NextHop(dst, 0); verdict == packet.DropNoRoute {
		return verdict
	}
	w.wanted.push(dst.As16())
	return packet.DropNoNeighbour
}

// wanted is a small ring of addresses whose link address the worker needs. The
// kernel path polls it; what does not fit is asked for again by the next packet.
type wanted struct {
	addrs [64][16]byte
	head  atomic.Uint32 // control plane: writes
	tail  atomic.Uint32 // worker: writes
}

func (r *wanted) push(addr [16]byte) {
	tail := r.tail.Load()
	if tail-r.head.Load() == uint32(len(r.addrs)) {
		return
	}
	r.addrs[tail%uint32(len(r.addrs))] = addr
	r.tail.Store(tail + 1)
}

// Wanted takes the next address (IPv4 mapped into IPv6) whose next hop the
// worker needs resolved; ok is false when there is none. For one goroutine of
// the control plane.
func (w *Worker) Wanted() (addr [16]byte, ok bool) {
	r := &w.wanted
	head := r.head.Load()
	if head == r.tail.Load() {
		return addr, false
	}
	addr = r.addrs[head%uint32(len(r.addrs))]
	r.head.Store(head + 1)
	return addr, true
}
