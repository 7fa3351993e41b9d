package service

// Cursor is a scheduler's mutable state for one service. Each worker has its
// own; it survives changes of the backends and is touched on flow creation only.
// The meaning of its fields belongs to the scheduler. The zero value starts.
type Cursor struct {
	Plan   uint64 // Generation of the plan that the rest was computed for
	Last   BackendID
	Pos    int32
	Weight int32
}

// Loads tells how busy backends are: a worker's own exact counts plus what the
// others have published.
type Loads interface {
	// Active is the number of TCP flows in SYN_RECV or ESTABLISHED.
	Active(BackendID) uint32
	// Inactive is the number of all other flows.
	Inactive(BackendID) uint32
}

// FlowKey is what a hashing scheduler may look at: plans are of one service.
type FlowKey struct {
	Client Wire // with its port
}

// Picker is a scheduler's immutable plan for one service. The control plane
// builds it (sched.Build); workers call Pick on flow creation only.
type Picker interface {
	// Pick returns the backend for a new flow, 0 when there is none to choose
	// (no backend, or all of weight 0). It allocates nothing.
	Pick(c *Cursor, loads Loads, key FlowKey) BackendID
}
