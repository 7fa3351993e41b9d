package worker

import "github.com/sluice-lb/sluice/packet"

// parse validates every frame; what it cannot leave Pending is decided here.
func (w *Worker) parse(slots []slot) {
	for i := range slots {
		s := &slots[i]
		if s.buf.Segments() != 1 {
			s.verdict = packet.DropMultiSegment
			continue
		}
		s.verdict = packet.Parse(s.buf.Bytes(), &w.gates[s.buf.Port], &s.packet)
	}
}
