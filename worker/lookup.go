package worker

import "github.com/sluice-lb/sluice/packet"

// lookup finds where the flow of every packet may be. It goes over the burst
// twice, so that the cache misses of 64 packets overlap: load buckets; search
// their tags and load entries. The third time, which compares, is plain's and
// search's.
func (w *Worker) lookup(slots []slot) {
	w.table.PrefetchBuckets(&w.hashes, len(slots))
	w.table.Candidates(&w.hashes, &w.refs, len(slots))
}

// search finds the flows of packets that plain has left.
func (w *Worker) search(slots []slot) {
	for i := range slots {
		s := &slots[i]
		if s.verdict != packet.Pending {
			continue
		}
		s.buf, s.hash, s.ref = w.in[i], w.hashes[i], w.refs[i]
		if s.packet.Plain == 4 {
			s.packet.Complete4()
		}
		switch {
		case s.packet.Fragment:
			s.ref = 0
		case !w.matches(s):
			s.ref = w.find(s)
		}
	}
}
