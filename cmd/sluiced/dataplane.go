package main

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/dpdk"
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/worker"
)

const (
	kernelRing   = 1024 // frames between a worker and the kernel path, each
	handoverRing = 2048 // frames between two workers
	mbufCache    = 256  // mbufs that each lcore keeps at hand
	dataRoom     = 2048 // bytes of an mbuf behind its headroom, at least
)

// dataplane is everything that packets touch.
type dataplane struct {
	eal     *dpdk.EAL
	pool    *dpdk.Pool
	ports   []*dpdk.Port
	hops    *service.NextHops
	store   *service.Store
	rings   []*packet.KernelRings
	peers   *worker.Peers // nil with one worker
	tables  []*flow.Table
	workers []*worker.Worker

	stop      atomic.Bool
	running   int
	ended     chan error // one value per worker that was started
	idleMbufs int        // in use before the first packet: the ports' receive rings
}

// openDataplane starts DPDK, the ports and the workers' tables; no worker runs
// yet. What it opened before an error, it closes.
func openDataplane(c *config.Config) (_ *dataplane, err error) {
	d := &dataplane{hops: new(service.NextHops), ended: make(chan error, len(c.Workers.Cores))}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.eal, err = dpdk.Init(ealConfig(c)); err != nil {
		return nil, err
	}
	if d.pool, err = dpdk.NewPool("mbufs", c.EAL.Mbufs, roomFor(c.Ports), mbufCache, d.eal.Socket(0)); err != nil {
		return nil, fmt.Errorf("eal.mbufs: %d: %w (keys eal.memory_mb, eal.hugepages)", c.EAL.Mbufs, err)
	}
	if err = d.attach(c); err != nil {
		return nil, err
	}
	d.idleMbufs = d.pool.InUse()
	d.store = newStore(len(c.Workers.Cores), d.hops)
	return d, d.makeWorkers(c)
}

// newStore makes a store whose revisions begin at the time in milliseconds: as
// long as changes are not made faster, for the daemon's whole life, than one a
// millisecond, no later run has a revision of this one's again. (Below 2^53, for
// whoever reads JSON numbers as floating point.)
func newStore(workers int, hops *service.NextHops) *service.Store {
	store := service.NewStore(workers, hops)
	_ = store.Update(func(now *service.Snapshot) (*service.Snapshot, error) {
		first := *now
		first.Revision = uint64(time.Now().UnixMilli())
		return &first, nil
	}) // fails only if the function does
	return store
}

// polls are the workers' counters of rounds, which never stand still.
func (d *dataplane) polls() []func() uint64 {
	out := make([]func() uint64, len(d.workers))
	for i, w := range d.workers {
		out[i] = w.Stats().Polls.Load
	}
	return out
}

func ealConfig(c *config.Config) dpdk.EALConfig {
	e := dpdk.EALConfig{
		Prefix: prefixOf(c), MainCore: c.EAL.MainCore, WorkerCores: c.Workers.Cores,
		Hugepages: c.EAL.Hugepages, Extra: c.EAL.Extra,
	}
	if !e.Hugepages {
		e.MemoryMB = c.EAL.MemoryMB
	}
	for _, p := range c.Ports {
		e.Devices = append(e.Devices, p.Device)
	}
	return e
}

// roomFor is the data room that the largest port's frames need: IP packet,
// Ethernet header and two tags.
func roomFor(ports []config.Port) int {
	room := dataRoom
	for _, p := range ports {
		room = max(room, int(p.MTU)+packet.EthernetLen+2*packet.VLANLen)
	}
	return room
}

func (d *dataplane) attach(c *config.Config) error {
	for i, p := range c.Ports {
		port, err := dpdk.Attach(dpdk.PortConfig{
			Name: p.Name, Device: p.Device, MTU: p.MTU, Queues: uint16(len(c.Workers.Cores)),
			Pool: d.pool, RSSKey: worker.RSSKey[:],
		})
		if err != nil {
			return fmt.Errorf("ports[%d] (%s): %w", i, p.Name, err)
		}
		if port.Index() != i {
			return errors.Join(fmt.Errorf("ports[%d] (%s): got index %d: a bug in Sluice: report it", i, p.Name, port.Index()), port.Close())
		}
		d.ports = append(d.ports, port)
	}
	return nil
}

func (d *dataplane) makeWorkers(c *config.Config) error {
	ports := make([]packet.Port, len(d.ports))
	for i, p := range d.ports {
		ports[i] = p
	}
	if n := len(c.Workers.Cores); n > 1 {
		d.peers = worker.NewPeers(n, handoverRing)
	}
	idle, _ := worker.ParseIdle(c.Workers.Idle) // validated
	for id := range c.Workers.Cores {
		table, err := flow.New(flow.Config{Flows: c.Workers.Flows, Flows6: c.Workers.Flows6, Timeouts: timeouts(c.Timeouts)})
		if err != nil {
			return fmt.Errorf("flow table of worker %d: %w", id, err)
		}
		rings := packet.NewKernelRings(len(ports), kernelRing)
		d.tables, d.rings = append(d.tables, table), append(d.rings, rings)
		d.workers = append(d.workers, worker.New(worker.Config{
			ID: id, Ports: ports, VLANs: vlans(c.Ports), Pool: d.pool, Store: d.store, Table: table, Kernel: rings, Peers: d.peers,
			Services: c.Limits.Services + 1, Backends: c.Limits.Backends + 1, // ids start at 1
			Limits: workerLimits(c.Limits), Idle: idle,
		}))
	}
	return nil
}

func workerLimits(l config.Limits) worker.Limits {
	return worker.Limits{
		Kernel: [packet.NumKernelClasses]uint32{
			packet.ClassRouting: l.KernelRouting, packet.ClassNeighbour: l.KernelNeighbour, packet.ClassOther: l.KernelOther,
		},
		Answers: l.Answers,
	}
}

func timeouts(t config.Timeouts) flow.Timeouts {
	life := flow.DefaultTimeouts()
	life[flow.StateEstablished] = t.TCPEstablished
	life[flow.StateSynReceived] = t.TCPSynReceived
	life[flow.StateFinWait], life[flow.StateTimeWait] = t.TCPFinWait, t.TCPFinWait
	life[flow.StateCloseWait] = t.TCPCloseWait
	life[flow.StateClose] = t.TCPClose
	life[flow.StateUDP] = t.UDP
	return life
}

// start lets the workers run.
func (d *dataplane) start() {
	for i, w := range d.workers {
		done := d.eal.Run(i, func() {
			w.Hold()
			w.Run(&d.stop)
			w.Release()
		})
		d.running++
		go func() { d.ended <- <-done }()
	}
}

// halt ends the workers and reports the first that did not end well.
func (d *dataplane) halt() (err error) {
	d.stop.Store(true)
	for ; d.running > 0; d.running-- {
		err = errors.Join(err, <-d.ended)
	}
	return err
}

// close gives everything back, in the reverse order. The workers have ended.
func (d *dataplane) close() (err error) {
	for i := len(d.ports) - 1; i >= 0; i-- {
		err = errors.Join(err, d.ports[i].Close())
	}
	for _, t := range d.tables {
		err = errors.Join(err, t.Close())
	}
	if d.pool != nil {
		err = errors.Join(err, d.pool.Close())
	}
	if d.eal != nil {
		err = errors.Join(err, d.eal.Close())
	}
	return err
}
