package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
)

// slot is what the stages know of one packet of the burst: one cache line
// that each stage fills further.
type slot struct {
	buf     *packet.Buf
	packet  packet.Parsed
	hash    uint64
	ref     flow.Ref // 0: no flow
	verdict packet.Verdict
	port    uint16 // where it leaves, or the worker that it is handed to
}
