package worker

import "github.com/sluice-lb/sluice/packet"

// parse validates every frame; what it cannot leave Pending is decided here. It
// hashes the tuples of what it leaves, for lookup.
func (w *Worker) parse(slots []slot) {
	in := w.in[:len(slots)]
	taken := w.parsePlain(len(slots), &w.gates[in[0].Port])
	if taken == 1<<len(slots)-1 {
		return
	}
	for i := range slots {
		s := &slots[i]
		if taken>>i&1 == 0 {
			w.parseAny(s, in[i])
			w.hashes[i] = w.hash(s)
		}
	}
}

// parseAny parses any frame.
func (w *Worker) parseAny(s *slot, b *packet.Buf) {
	s.buf = b
	if b.Segments() != 1 {
		s.verdict, s.packet.Plain = packet.DropMultiSegment, 0
		return
	}
	s.verdict = packet.Parse(b.Bytes(), &w.gates[b.Port], &s.packet)
}

// hash is the table's hash of a packet that may have a flow.
func (w *Worker) hash(s *slot) uint64 {
	if s.verdict != packet.Pending || s.packet.Fragment {
		return 0
	}
	if s.packet.IPv6 {
		t := s.tuple6()
		return w.table.Hash6(&t)
	}
	return w.table.Hash(s.tuple())
}
