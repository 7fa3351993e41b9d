package worker

import "github.com/sluice-lb/sluice/packet"

// parse validates every frame; what it cannot leave Pending is decided here. It
// hashes the tuples of what it leaves and begins to load their buckets, for lookup.
// Frames that were handed over may be of several ports: parsePlain takes those for
// the address of the first one's, which is no more than the worker that checked
// them took.
func (w *Worker) parse(slots []slot) {
	in := w.in[:len(slots)]
	taken := w.parsePlain(len(slots), &w.gates[in[0].Port])
	if taken == 1<<len(slots)-1 {
		return
	}
	for i, b := range in {
		if taken>>i&1 == 0 {
			w.hashes[i] = w.parseOne(&slots[i], b)
		}
	}
	w.table.PrefetchBuckets(&w.hashes, len(slots))
}

// parseOne parses a frame that parsePlain did not take and returns the table's hash
// of its tuple, if it may have a flow.
func (w *Worker) parseOne(s *slot, b *packet.Buf) (hash uint64) {
	s.buf = b
	if b.Segments() != 1 {
		s.verdict, s.packet.Plain = packet.DropMultiSegment, 0
		return 0
	}
	if gate := &w.gates[b.Port]; b.Port == w.in[0].Port {
		s.verdict = parseRest(b.Bytes(), gate, &s.packet)
	} else { // parsePlain compared it with the other port's address
		s.verdict = packet.Parse(b.Bytes(), gate, &s.packet)
	}
	switch {
	case s.packet.Plain == 6:
		return w.table.HashPlain6((*packet.IPv6)(b.Head()[packet.EthernetLen:]), &s.packet)
	case s.verdict != packet.Pending || s.packet.Fragment:
		return 0
	case s.packet.IPv6:
		t := s.tuple6()
		return w.table.Hash6(&t)
	}
	return w.table.Hash(s.tuple())
}
