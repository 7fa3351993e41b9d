package worker

import "github.com/sluice-lb/sluice/packet"

// lookup finds the flow of every pending packet. It goes over the burst three
// times, so that the cache misses of 64 packets overlap: load the buckets;
// search their tags and load the entries; compare.
func (w *Worker) lookup(slots []slot) {
	n := len(slots)
	for i := range slots {
		w.hashes[i] = 0
		if s := &slots[i]; s.verdict == packet.Pending && !s.packet.Fragment {
			s.hash = w.hash(s)
			w.hashes[i] = s.hash
		}
	}
	w.table.PrefetchBuckets(&w.hashes, n)
	for i := range slots {
		w.refs[i] = 0
		if s := &slots[i]; s.verdict == packet.Pending && !s.packet.Fragment {
			w.refs[i] = w.table.Candidate(s.hash)
		}
	}
	w.table.PrefetchEntries(&w.refs, n)
	for i := range slots {
		s := &slots[i]
		if s.ref = w.refs[i]; s.ref != 0 && !w.matches(s) {
			s.ref = w.find(s)
		}
	}
}
