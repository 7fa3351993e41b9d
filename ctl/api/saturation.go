package api

import "time"

// Arrivals is what a worker takes from one port.
type Arrivals struct {
	Port       string  `json:"port"`
	Packets    uint64  `json:"packets"`
	Bursts     uint64  `json:"bursts" doc:"Receive bursts that were not empty."`
	FullBursts uint64  `json:"full_bursts" doc:"Of these, with 64 packets: more were waiting."`
	HandedOver uint64  `json:"handed_over" doc:"Of the packets, those that belong to another worker."`
	Fill       float64 `json:"fill" doc:"Mean packets of a burst in the last second that had any."`
	Full       float64 `json:"full" doc:"Share of full bursts in that second, 0 to 1."`
}

// Gaps is a histogram of the time from the beginning of a poll to that of the
// next, in seconds, since the start: for so long a packet may wait in a device
// before the worker looks. Sleeps on purpose (workers.idle: sleep) are no gaps.
type Gaps struct {
	Count     uint64      `json:"count"`
	Sum       float64     `json:"sum_seconds"`
	P50       float64     `json:"p50_seconds" doc:"Half of the gaps are at most so long; within 1/16."`
	P999      float64     `json:"p99_9_seconds"`
	P9999     float64     `json:"p99_99_seconds"`
	Longest   float64     `json:"longest_seconds"`
	LongestAt *time.Time  `json:"longest_at,omitempty" doc:"When the longest ended."`
	Buckets   []GapBucket `json:"buckets" nullable:"false"`
}

// GapBucket counts gaps up to a bound.
type GapBucket struct {
	Within float64 `json:"within_seconds"`
	Count  uint64  `json:"count" doc:"Gaps so long or shorter, those of smaller bounds included."`
}

// The kinds of rings.
const (
	RingFromWorker = "from-worker" // packets that another worker hands over
	RingToKernel   = "to-kernel"   // frames of a class, towards the twins
	RingFromKernel = "from-kernel" // frames of the kernel, for a port
)

// Ring is a place where packets wait between a worker and someone else.
type Ring struct {
	Worker  int    `json:"worker"`
	Kind    string `json:"kind" enum:"from-worker,to-kernel,from-kernel"`
	Peer    string `json:"peer" doc:"The other worker, the class, or the port."`
	Waiting int    `json:"waiting" doc:"Packets in it now."`
	Highest int    `json:"highest" doc:"Most packets that were found in it since the start."`
	Size    int    `json:"size"`
}

// Saturation is a worker that does not keep up. It is said to be saturated when
// for three seconds it spent 90% of its time in polls that moved packets, while
// half of the bursts from a port were full.
type Saturation struct {
	Worker int       `json:"worker"`
	Since  time.Time `json:"since"`
}
