package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/flow"
)

// Record is a copy of one flow.
type Record struct {
	Index  flow.Index
	Entry4 flow.Entry4 // valid iff not Index.IPv6
	Entry6 flow.Entry6 // valid iff Index.IPv6
	flow.Counters
	Left time.Duration // until it ends if no packet comes
}

// batch is how many flows the worker copies between two bursts.
const batch = 128

// mailbox carries the control plane's questions about what is the worker's own:
// its table, its pools of local ports. One question at a time: the control plane
// fills in the request and moves asked; the worker answers into the records or
// pools and moves answered. Neither waits for the other in any other way.
type mailbox struct {
	mu       sync.Mutex // control plane: one question at a time
	asked    atomic.Uint64
	answered atomic.Uint64

	list    list   // control plane writes before asked moves, worker reads after
	from    uint32 // of flows a flow.Index
	records [batch]Record
	pools   [batch]LocalPool
	n       int    // worker writes before answered moves
	next    uint32 // where to go on; 0: that was all
}

// list says what is asked for.
type list uint8

const (
	listFlows list = iota
	listPools
)

// serveMail answers the question that waits, if one does; it returns how many.
func (w *Worker) serveMail() int {
	m := &w.mail
	asked := m.asked.Load()
	if asked == m.answered.Load() {
		return 0
	}
	m.n = 0
	if m.list == listPools {
		m.next = w.copyPools(m.from)
	} else {
		m.next = uint32(w.table.Scan(flow.Index(m.from), batch, w.onScan))
	}
	m.answered.Store(asked)
	return 1
}

// copyFlow is serveMail's visitor.
func (w *Worker) copyFlow(index flow.Index) {
	m := &w.mail
	r := &m.records[m.n]
	r.Index, r.Counters, r.Left = index, w.table.Counters(index), w.table.TimeLeft(w.table.Common(index))
	if index.IPv6() {
		r.Entry6 = *w.table.At6(index)
	} else {
		r.Entry4 = *w.table.At(index)
	}
	m.n++
}

// Flows calls visit for every flow of the worker's table, a batch at a time,
// without making the worker wait: flows that come or go meanwhile may be
// missed, all others are seen once. It stops when visit returns an error or ctx
// ends. Safe from any goroutine; calls are served one after another per batch.
func (w *Worker) Flows(ctx context.Context, visit func(*Record) error) error {
	records := make([]Record, batch)
	return w.each(ctx, listFlows, func(m *mailbox) int { return copy(records, m.records[:m.n]) }, func(i int) error { return visit(&records[i]) })
}

// each has the worker answer batch after batch. take copies an answer out of
// the mailbox and says how long it is; visit is called for each of its parts.
func (w *Worker) each(ctx context.Context, what list, take func(*mailbox) int, visit func(i int) error) error {
	for from := uint32(0); ; {
		n, next, err := w.ask(ctx, what, from, take)
		if err != nil {
			return err
		}
		for i := range n {
			if err := visit(i); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
		from = next
	}
}

// ask has the worker copy the batch that starts at from.
func (w *Worker) ask(ctx context.Context, what list, from uint32, take func(*mailbox) int) (n int, next uint32, err error) {
	m := &w.mail
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.settle(ctx); err != nil {
		return 0, 0, err
	}
	m.list, m.from = what, from
	m.asked.Add(1)
	if err := m.settle(ctx); err != nil {
		return 0, 0, err
	}
	return take(m), m.next, nil
}

// settle waits until the worker has answered everything asked. It sleeps, which, other
// than a timer beside ctx.Done, leaves no garbage: there are many batches.
func (m *mailbox) settle(ctx context.Context) error {
	for wait := 20 * time.Microsecond; m.answered.Load() != m.asked.Load(); wait = min(2*wait, time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(wait)
	}
	return nil
}
