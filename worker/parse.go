package worker

import (
	"math/bits"

	"github.com/sluice-lb/sluice/packet"
)

// parse validates every frame; what it cannot leave Pending is decided here. It
// hashes the tuples of what it leaves and begins to load their buckets, for lookup.
// Frames that were handed over may be of several ports: parsePlain takes those for
// the address of the first one's, which is no more than the worker that checked
// them took.
//
// IPv6 is tried first where the last burst had no plain IPv4. Whichever comes first
// loads the frames that Rx did not, a few ahead of the one it looks at.
func (w *Worker) parse(slots []slot, port int) {
	n, all := len(slots), uint64(1)<<len(slots)-1
	if w.four == 0 {
		if w.six = w.parseAhead6(n, port); w.six != all {
			w.four = w.parsePlain(n, port)
		}
	} else if w.six, w.four = 0, w.parsePlain(n, port); w.four != all {
		w.six = w.parsePlain6(0, n, port)
	}
	if w.four == all {
		return
	}
	for rest := all &^ (w.four | w.six); rest != 0; rest &= rest - 1 {
		i := bits.TrailingZeros64(rest)
		w.hashes[i] = w.parseOne(&slots[i], w.in[i])
		switch slots[i].packet.Plain {
		case 4:
			w.four |= 1 << i
		case 6:
			w.six |= 1 << i
		}
	}
	w.table.PrefetchBuckets(&w.hashes, n)
}

// parseOne parses a frame that neither parsePlain nor parsePlain6 took and returns
// the table's hash of its tuple, if it may have a flow.
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
	case s.verdict != packet.Pending || s.packet.Fragment:
		return 0
	case s.packet.IPv6:
		t := s.tuple6()
		return w.table.Hash6(&t)
	}
	return w.table.Hash(s.tuple())
}
