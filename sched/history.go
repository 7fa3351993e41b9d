package sched

// remembered is how many changes, besides the latest, a plan can make up for. A
// worker that had no new flow for longer resumes from the oldest one known.
const remembered = 64

// change is one step in the life of a service's backends.
type change[T any] struct {
	generation uint64 // of the plan that it led to
	what       T
}

// history is the changes that led to a plan, oldest first.
type history[T any] struct {
	born    uint64 // generation of the first plan; older cursors know nothing
	changes []change[T]
}

// extend returns a history with the steps of one generation appended.
func (h history[T]) extend(generation uint64, steps []T) history[T] {
	recent := h.changes[max(0, len(h.changes)-remembered):]
	h.changes = append(make([]change[T], 0, len(recent)+len(steps)), recent...)
	for _, s := range steps {
		h.changes = append(h.changes, change[T]{generation, s})
	}
	return h
}

// since is what a cursor of that generation has missed, oldest first.
func (h *history[T]) since(generation uint64) []change[T] {
	i := len(h.changes)
	for i > 0 && h.changes[i-1].generation > generation {
		i--
	}
	return h.changes[i:]
}
