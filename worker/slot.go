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
	port    uint16 // where it leaves; valid iff verdict's outcome is Transmitted
}

// tuple is the packet's five-tuple; valid iff Parse said Pending and it is no fragment.
func (s *slot) tuple() flow.Tuple4 {
	return flow.Tuple4{Addrs: s.packet.Addrs, Ports: s.packet.Ports, Proto: s.packet.Proto}
}
