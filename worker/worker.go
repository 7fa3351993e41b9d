package worker

import (
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// Config is what a worker works with. All of it is required but Peers, VLANs
// and Seed.
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
	Seed     uint64 // of what is drawn for local ports and multipath; 0: of the clock
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

	snap    *service.Snapshot // of this burst
	ident   uint16            // the last outer IPv4 header's: counts, so that none comes again soon (RFC 6864)
	slots   [packet.BurstSize]slot
	numbers [9]uint64                // parse: of the table's hash, of packet.allOnes16, outerAt, of the table's buckets
	hashes  [packet.BurstSize]uint64 // lookup: by slot, in the form a batch is prefetched in
	four    uint64                   // parse: bit i: slot i is plain IPv4
	six     uint64                   // parse: bit i: slot i is plain IPv6
	found   flow.Found               // lookup: by slot
	short   short                    // plain: of the burst
	in      packet.Burst
	out     []outbox // by port
	drop    outbox

	cursors  []service.Cursor    // by service.ID
	load     []load              // by service.BackendID
	outers   []outer             // by service.BackendID: of the snapshot, in less memory
	owned    flow.Owned          // both, and the next hops, if they are too many for the cache
	dirty    []service.BackendID // touched since the round of publishing began
	round    publishing
	random   uint64 // xorshift state for local ports and multipath
	local    localPorts
	recent   recent // miss: of the snapshot
	openings openings

	kernelLimit [packet.NumKernelClasses]bucket
	answerLimit bucket
	wanted      wanted
	mail        mailbox
	stats       counters
	meter       meter
	arrivals    []arrivals // by port
	published   Stats
	lastRefill  time.Duration
	onEnd       func(flow.Index, *flow.Common) // w.end, bound once
	onScan      func(flow.Index)               // w.copyFlow, bound once
	onBackend   func(uint32, *service.Backend) // w.markBackend, bound once
	idle        idler
	grip        grip
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
		out: make([]outbox, len(cfg.Ports)), arrivals: make([]arrivals, len(cfg.Ports)),
		cursors: make([]service.Cursor, cfg.Services),
		load:    make([]load, cfg.Backends),
		outers:  make([]outer, cfg.Backends),
		dirty:   make([]service.BackendID, 0, cfg.Backends),
		round:   publishing{left: make([]service.BackendID, 0, cfg.Backends), pause: publishEvery},
		random:  cfg.Seed,
		started: time.Now(),
		meter:   meter{paused: true},
		idle:    idler{mode: cfg.Idle},
	}
	k := cfg.Table.HashKeys()
	homes, buckets := cfg.Table.Homes()
	w.numbers = [9]uint64{k[0], k[1], k[2], k[3], packet.Inverse65535, packet.Most65535, 0, homes, uint64(buckets)}
	if w.random == 0 { // where xorshift would stay
		w.random = uint64(time.Now().UnixNano()) | 1
	}
	w.ident = uint16(w.random >> 32) // anywhere
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
	w.published.init(cfg.Backends, len(cfg.Ports))
	w.onEnd, w.onScan, w.onBackend = w.end, w.copyFlow, w.markBackend
	w.follow(cfg.Store.Load())
	w.local = newLocalPorts(min(cfg.Backends*poolsPerBackend, cfg.Table.Cap()), w.id, cfg.Peers)
	w.countPorts()
	return w
}

// ID is the worker's number. Safe from any goroutine.
func (w *Worker) ID() int { return w.id }

// Started is when the clock of Stats.Busy and Stats.Gaps began. Safe from any
// goroutine.
func (w *Worker) Started() time.Time { return w.started }

// Run polls until stop is set, then publishes for the last time.
func (w *Worker) Run(stop *atomic.Bool) {
	for !stop.Load() {
		if pause := w.idle.after(w.Poll()); pause > 0 {
			w.sleep(pause)
		}
	}
	w.publishAll()
}

// follow goes over to a snapshot: it notes which backends came or went, so that a
// packet needs no look at the snapshot for that. It looks at changed backends and
// those beside them only.
func (w *Worker) follow(snap *service.Snapshot) {
	var old service.Vec[service.Backend]
	if w.snap != nil {
		old = w.snap.Backends
	}
	snap.Backends.Changed(old, w.onBackend)
	w.snap, w.recent = snap, recent{}
	w.owned = flow.Owned{}
	if snap.Backends.Len() > multitude {
		w.owned.Loads, w.owned.Outers = unsafe.Pointer(unsafe.SliceData(w.load)), unsafe.Pointer(unsafe.SliceData(w.outers))
		w.owned.Hops = snap.Net.Hops.Address()
	}
}

// outerAt is where parse loads a cache line for an outer header, from the frame's
// start, once a backend has a tunnel; 0 until then: a line that it loads anyway.
const outerAt = 1<<64 - 64

func (w *Worker) markBackend(id uint32, b *service.Backend) {
	if int(id) >= len(w.load) { // beyond the bound: of the last chunk, never used
		return
	}
	if b.Outer.Size() > 0 {
		w.numbers[6] = outerAt
	}
	w.load[id].port = hostPort(b.Port)
	if b.Addr.Is4() {
		w.load[id].addr = rawAddress(b.Addr)
	}
	w.load[id].netEpoch = 0 // it may be another backend by now
	w.outers[id].Outer = b.Outer
	if b.Present {
		w.load[id].mark &^= gone
	} else {
		w.load[id].mark |= gone
	}
}

// Poll is one round: a burst from every port, then a slice of everything else.
// It returns how many frames it moved and questions it answered.
func (w *Worker) Poll() int {
	now := time.Since(w.started)
	w.meter.begin(now)
	w.grip.breathe(now)
	if snap := w.cfg.Store.Enter(w.id); snap != w.snap {
		w.follow(snap)
	}
	w.table.Advance(now)
	w.refill(now)
	moved := 0
	for port := range w.cfg.Ports {
		moved += w.receive(port)
		moved += w.fromKernel(port)
	}
	moved += w.takeOver()
	w.expire(moved)
	w.publish(now)
	w.stats.polls++
	if w.meter.moved = moved > 0; w.meter.moved {
		w.stats.busyPolls++
	}
	return moved + w.serveMail() // who lists a table should not wait for a sleeper
}
