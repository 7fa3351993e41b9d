package worker

import (
	"sync/atomic"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// resolve looks both next hops of a flow up and notes for which view of the
// network they hold. An id that is not found stays 0.
func (w *Worker) resolve(e *flow.Entry4) {
	net := w.snap.Net
	share := uint32(w.table.Hash(e.RequestTuple()) >> 32)
	e.HopReq, _ = net.NextHop(w.snap.Backends.At(uint32(e.Backend)).Addr, share)
	e.HopRep = 0
	if e.Mode == service.ModeFullNAT || e.Mode == service.ModeNAT {
		e.HopRep, _ = net.NextHop(address(uint32(e.ReqAddrs)), share)
	}
	e.NetEpoch = net.Epoch
}

// unresolved says why a flow's packet has no next hop, and lets the kernel
// resolve it if that helps.
func (w *Worker) unresolved(e *flow.Entry4, dir flow.Dir) packet.Verdict {
	dst := address(uint32(e.ReqAddrs))
	if dir == flow.Request {
		dst = w.snap.Backends.At(uint32(e.Backend)).Addr
	}
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
