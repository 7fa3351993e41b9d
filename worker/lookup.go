package worker

import "github.com/sluice-lb/sluice/packet"

// lookup finds where the flow of every packet may be. Like all work on a burst it is
// staged, so that the cache misses of 64 packets overlap: parse has begun to load
// buckets; here their tags are searched and entries begin to load; plain and search
// compare. With many backends, what is kept by backend begins to load as well.
func (w *Worker) lookup(slots []slot) {
	w.table.Candidates(&w.hashes, &w.found, len(slots))
	if w.owned.Loads != nil {
		w.owned.Prefetch(&w.found, len(slots))
	}
}

// search finds the flows of packets that plain has left, and writes down of them what
// parse did not.
func (w *Worker) search(slots []slot, done uint64) {
	for i := range slots {
		if done>>i&1 != 0 {
			continue
		}
		s := &slots[i]
		s.buf, s.hash, s.ref = w.in[i], w.hashes[i], w.found.Refs[i]
		switch {
		case w.four>>i&1 != 0:
			w.complete(s)
		case w.six>>i&1 != 0:
			s.verdict = packet.Pending
			s.packet.SetPlain6(s.buf.Bytes())
		}
		switch {
		case s.verdict != packet.Pending:
		case s.packet.Fragment:
			s.ref = 0
		case s.ref == 0 && !w.table.Chained(s.hash):
		case s.ref == 0 || !w.matches(s):
			s.ref = w.find(s)
		}
	}
}

// complete writes down what a plain IPv4 packet is, and checks what parsePlain left out.
func (w *Worker) complete(s *slot) {
	s.verdict = packet.Pending
	s.packet.SetPlain4(s.buf.Head())
	if packet.Unusual4(s.packet.Addrs) {
		s.verdict = packet.ParseUnplain4(s.buf.Bytes(), &w.gates[s.buf.Port], &s.packet)
	}
}
