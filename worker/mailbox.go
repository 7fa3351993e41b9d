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

// mailbox carries the control plane's questions about the worker's own table.
// One question at a time: the control plane fills in the request and moves
// asked; the worker answers into the records and moves answered. Neither
// waits for the other in any other way.
type mailbox struct {
	mu       sync.Mutex // control plane: one question at a time
	asked    atomic.Uint64
	answered atomic.Uint64

	from    flow.Index // control plane writes before asked moves, worker reads after
	records [batch]Record
	n       int        // worker writes before answered moves
	next    flow.Index // where to go on; 0: that was all
}

// serveMail answers the question that waits, if one does; it returns how many.
func (w *Worker) serveMail() int {
	m := &w.mail
	asked := m.asked.Load()
	if asked == m.answered.Load() {
		return 0
	}
	m.n = 0
	m.next = w.table.Scan(m.from, batch, w.onScan)
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
	for from := flow.Index(0); ; {
		n, next, err := w.ask(ctx, from, records)
		if err != nil {
			return err
		}
		for i := range records[:n] {
			if err := visit(&records[i]); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
		from = next
	}
}

// ask has the worker copy the batch of flows that starts at from.
func (w *Worker) ask(ctx context.Context, from flow.Index, records []Record) (n int, next flow.Index, err error) {
	m := &w.mail
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.settle(ctx); err != nil {
		return 0, 0, err
	}
	m.from = from
	m.asked.Add(1)
	if err := m.settle(ctx); err != nil {
		return 0, 0, err
	}
	return copy(records, m.records[:m.n]), m.next, nil
}

// settle waits until the worker has answered everything asked.
func (m *mailbox) settle(ctx context.Context) error {
	for wait := 20 * time.Microsecond; m.answered.Load() != m.asked.Load(); wait = min(2*wait, time.Millisecond) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	return nil
}
