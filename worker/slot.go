package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
)

// slot is what the stages know of one packet of the burst: one cache line
// that each stage fills further.
type slot struct {
	buf     *packet.Buf // the burst's; plain4 and plain6 do without
	packet  packet.Parsed
	hash    uint64   // valid from search on, like ref
	ref     flow.Ref // 0: no flow
	port    uint16   // where it leaves, or the worker that it is handed to
	verdict packet.Verdict
	_       [9]byte
}
