package worker

import (
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// Config is what a worker works with. All of it is required but Peers and VLANs.
type Config struct {
	ID       int            // 0..N-1; also the queue it uses on every port
	Ports    []packet.Port  // by port index
	VLANs    [][]uint16     // by port index: 802.1Q ids that its frames may carry; nil: none
	Pool     packet.Pool    // for frames the worker drops
	Store    *service.Store // snapshots
	Table    *flow.Table    // owned by the worker from New on
	Kernel   *packet.KernelRings
	Peers    *Peers // hand-over rings; nil with one worker
	Backends int    // bound of service.BackendID
	Services int    // bound of service.ID
	Limits   Limits
	Idle     Idle
}

// Limits bound what strangers can make a worker do, in packets a second.
type Limits struct {
	Kernel  [packet.NumKernelClasses]uint32 // towards the kernel, per class
	Answers uint32                          // ICMP errors
}

// DefaultLimits suit a gateway with one routing daemon.
func DefaultLimits() Limits {
	return Limits{
		Kernel:  [packet.NumKernelClasses]uint32{packet.ClassRouting: 20000, packet.ClassNeighbour: 5000, packet.ClassOther: 20000},
		Answers: 1000,
	}
}

// Worker is one poll loop. Its methods belong to its thread unless they say
// otherwise.
type Worker struct {
	cfg     Config
	id      int
	queue   uint16
	table   *flow.Table
	gates   []packet.Gate
	started time.Time

	snap   *service.Snapshot // of this burst
	slots  [packet.BurstSize]slot
	hashes [packet.BurstSize]uint64   // lookup: by slot, in the form a batch is prefetched in
	refs   [packet.BurstSize]flow.Ref // lookup: by slot
	in     packet.Burst
	out    []outbox // by port
	drop   outbox

	cursors []service.Cursor    // by service.ID
	load    []load              // by service.BackendID
	dirty   []service.BackendID // touched since the round of publishing began
	round   publishing
	random  uint64 // xorshift state for local ports and multipath
	local   localPorts

	kernelLimit [packet.NumKernelClasses]bucket
	answerLimit bucket
	wanted      wanted
	mail        mailbox
	stats       counters
	published   Stats
	lastRefill  time.Duration
	onEnd       func(flow.Index, *flow.Common) // w.end, bound once
	onScan      func(flow.Index)               // w.copyFlow, bound once
	idle        idler
	removed     bool // a flow ended during this burst: refs found before may be stale
}

// outbox collects frames for one destination.
type outbox struct {
	burst    packet.Burst
	verdicts [packet.BurstSize]packet.Verdict
	n        int
}

// New makes a worker. It allocates all that the worker will ever use.
func New(cfg Config) *Worker {
	w := &Worker{
		cfg: cfg, id: cfg.ID, queue: uint16(cfg.ID), table: cfg.Table,
		out:     make([]outbox, len(cfg.Ports)),
		cursors: make([]service.Cursor, cfg.Services),
		load:    make([]load, cfg.Backends),
		dirty:   make([]service.BackendID, 0, cfg.Backends),
		round:   publishing{left: make([]service.BackendID, 0, cfg.Backends)},
		random:  uint64(time.Now().UnixNano()) | 1,
		started: time.Now(),
		idle:    idler{mode: cfg.Idle},
	}
	for i, port := range cfg.Ports {
		gate := packet.Gate{MAC: port.Info().MAC.Raw()}
		if i < len(cfg.VLANs) {
			for _, vlan := range cfg.VLANs[i] {
				gate.Allow(vlan)
			}
		}
		w.gates = append(w.gates, gate)
	}
	for class, rate := range cfg.Limits.Kernel {
		w.kernelLimit[class] = newBucket(rate)
	}
	w.answerLimit = newBucket(cfg.Limits.Answers)
	w.published.init(cfg.Backends)
	w.snap = cfg.Store.Load()
	w.onEnd, w.onScan = w.end, w.copyFlow
	w.local = newLocalPorts(min(cfg.Backends*poolsPerBackend, cfg.Table.Cap()), w.id, cfg.Peers)
	w.countPorts()
	return w
}

// ID is the worker's number. Safe from any goroutine.
func (w *Worker) ID() int { return w.id }

// Run polls until stop is set, then publishes for the last time.
func (w *Worker) Run(stop *atomic.Bool) {
	for !stop.Load() {
		w.idle.after(w.Poll())
	}
	w.publishAll()
}

// Poll is one round: a burst from every port, then a slice of everything else.
// It returns how many frames it moved and questions it answered.
func (w *Worker) Poll() int {
	now := time.Since(w.started)
	w.snap = w.cfg.Store.Enter(w.id)
	w.table.Advance(now)
	w.refill(now)
	moved := 0
	for port := range w.cfg.Ports {
		moved += w.receive(port)
		moved += w.fromKernel(port)
	}
	moved += w.takeOver()
	w.expire()
	w.publish(now)
	w.stats.polls++
	if moved > 0 {
		w.stats.busyPolls++
	}
	return moved + w.serveMail() // who lists a table should not wait for a sleeper
}
