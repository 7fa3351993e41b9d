package main

import (
	"strconv"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/worker"
)

// Bounds of the histogram of gaps: powers of two of ns, from 256 ns, an empty
// poll, to 1.07 s.
const (
	gapFrom = 8
	gapTo   = 30
)

func gaps(w *worker.Worker) api.Gaps {
	h := w.Stats().Gaps()
	out := api.Gaps{
		Count: h.Count(), Sum: h.Sum().Seconds(), Longest: h.Longest().Seconds(),
		P50: h.Quantile(0.5).Seconds(), P999: h.Quantile(0.999).Seconds(), P9999: h.Quantile(0.9999).Seconds(),
		Buckets: make([]api.GapBucket, 0, gapTo-gapFrom+1),
	}
	if out.Count > 0 {
		at := w.Started().Add(h.LongestAt())
		out.LongestAt = &at
	}
	for power := gapFrom; power <= gapTo; power++ {
		out.Buckets = append(out.Buckets, api.GapBucket{Within: float64(uint64(1)<<power) / 1e9, Count: h.Below(power)})
	}
	return out
}

// rings are those where packets wait for a worker, and its own to the kernel path.
func (e *engine) rings(id int) (out []api.Ring) {
	show := func(kind, peer string, r *packet.Ring) {
		out = append(out, api.Ring{Worker: id, Kind: kind, Peer: peer, Waiting: r.Len(), Highest: r.Highest(), Size: r.Cap()})
	}
	for from := range e.plane.workers {
		if from != id {
			show(api.RingFromWorker, strconv.Itoa(from), e.plane.peers.Ring(id, from))
		}
	}
	for class, ring := range e.plane.rings[id].To {
		show(api.RingToKernel, packet.KernelClass(class).String(), ring)
	}
	for port, ring := range e.plane.rings[id].From {
		show(api.RingFromKernel, e.config.Ports[port].Name, ring)
	}
	return out
}

// saturated sums up for the status how busy workers are, and where packets wait.
func saturated(s *api.Status, workers []api.Worker) {
	s.Busy, s.Saturated = make([]float64, len(workers)), []api.Saturation{}
	most := 0.0
	for i, w := range workers {
		s.Busy[i] = w.Busy
		if w.SaturatedSince != nil {
			s.Saturated = append(s.Saturated, api.Saturation{Worker: w.ID, Since: *w.SaturatedSince})
		}
		for _, r := range w.Rings {
			if level := float64(r.Highest) / float64(r.Size); level > most {
				most, s.FullestRing = level, &r
			}
		}
	}
}
