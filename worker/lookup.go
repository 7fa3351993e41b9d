package worker

import "github.com/sluice-lb/sluice/packet"

// lookup finds where the flow of every packet may be. Like all work on a burst it is
// staged, so that the cache misses of 64 packets overlap: parse has begun to load
// buckets; here their tags are searched and entries begin to load; plain and search
// compare.
func (w *Worker) lookup(slots []slot) {
	w.table.Candidates(&w.hashes, &w.found, len(slots))
}

// complete does for a plain IPv4 packet without a known flow what parsePlain left out.
// It says whether the packet may have a flow.
func (w *Worker) complete(s *slot) bool {
	if packet.Unusual4(s.packet.Addrs) {
		s.verdict = packet.ParseUnplain4(s.buf.Bytes(), &w.gates[s.buf.Port], &s.packet)
		return s.verdict == packet.Pending
	}
	s.packet.Complete4()
	return true
}

// search finds the flows of packets that plain has left.
func (w *Worker) search(slots []slot) {
	for i := range slots {
		s := &slots[i]
		if s.verdict != packet.Pending {
			continue
		}
		s.buf, s.hash, s.ref = w.in[i], w.hashes[i], w.found.Refs[i]
		switch s.packet.Plain {
		case 4:
			if !w.complete(s) {
				continue
			}
		case 6:
			s.packet.Complete6()
		}
		switch {
		case s.packet.Fragment:
			s.ref = 0
		case s.ref == 0 && !w.table.Chained(s.hash):
		case s.ref == 0 || !w.matches(s):
			s.ref = w.find(s)
		}
	}
}
