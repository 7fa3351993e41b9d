package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/service"
)

// How many entries a poll may look at: a few and one more for each packet that it
// moved, so that more flows can end than begin. What is due in a tick ends over many
// polls, then, and new flows get entries that are still in the cache. A poll that moved
// none has time, and may be one of few: its worker may sleep.
const (
	expireBusy = 64
	expireIdle = 256
)

// expire ends flows that have been idle for too long.
func (w *Worker) expire(moved int) {
	budget := expireBusy + moved
	if moved == 0 {
		budget = expireIdle
	}
	w.stats.expired += uint64(w.table.Expire(budget, w.onEnd))
}

// end takes a flow that is about to go out of the counts of its backend and of
// its local address.
func (w *Worker) end(index flow.Index, e *flow.Common) {
	w.countFlow(e.Backend, e.State, -1)
	if e.Mode == service.ModeFullNAT {
		w.freePort(w.table.Note(index))
	}
}

// countFlow moves a backend's number of active or inactive flows.
func (w *Worker) countFlow(id service.BackendID, state flow.State, by int32) {
	l := &w.load[id]
	if state.Active() {
		l.active += by
	} else {
		l.inactive += by
	}
	w.touchLoad(id, l)
}

// Active implements service.Loads for schedulers that run on this worker.
func (w *Worker) Active(id service.BackendID) uint32 { return uint32(w.load[id].active) }

// Inactive implements service.Loads.
func (w *Worker) Inactive(id service.BackendID) uint32 { return uint32(w.load[id].inactive) }
