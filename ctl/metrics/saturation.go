package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-lb/sluice/ctl/api"
)

func sendSaturation(out chan<- prometheus.Metric, w api.Worker) {
	id := strconv.Itoa(w.ID)
	busySeconds.sendFloat(out, w.BusySeconds, id)
	saturated := uint64(0)
	if w.SaturatedSince != nil {
		saturated = 1
	}
	isSaturated.send(out, saturated, id)
	sendGaps(out, w.Gaps, id)
	for _, a := range w.Ports {
		arrivedPackets.send(out, a.Packets, id, a.Port)
		arrivedBursts.send(out, a.Bursts, id, a.Port)
		fullBursts.send(out, a.FullBursts, id, a.Port)
		handedOver.send(out, a.HandedOver, id, a.Port)
	}
	for _, r := range w.Rings {
		ringWaiting.send(out, uint64(r.Waiting), id, r.Kind, r.Peer)
		ringHighest.send(out, uint64(r.Highest), id, r.Kind, r.Peer)
		ringSize.send(out, uint64(r.Size), id, r.Kind, r.Peer)
	}
}

func sendGaps(out chan<- prometheus.Metric, g api.Gaps, worker string) {
	buckets := make(map[float64]uint64, len(g.Buckets))
	for _, b := range g.Buckets {
		buckets[b.Within] = b.Count
	}
	out <- prometheus.MustNewConstHistogram(pollGap, g.Count, g.Sum, buckets, worker)
	longestGap.sendFloat(out, g.Longest, worker)
}
