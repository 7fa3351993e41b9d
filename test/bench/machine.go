package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/sluice-lb/sluice/dpdk"
)

const (
	chunk    = 16 << 10 // frames that are timed in one go
	ringSize = 2 * chunk
	mbufs    = 4*chunk - 1
	dataRoom = 2048
	cache    = 256 // as the daemon has it
)

// machine is what all cases share.
type machine struct {
	eal   *dpdk.EAL
	pool  *dpdk.Pool
	port  *dpdk.RingPort
	lcore int // as EAL numbers workers
}

// openMachine starts DPDK with a worker on core, and one for the cases of two on
// second. It leaves Go as many processors as a daemon with one worker has.
func openMachine(o options) (*machine, error) {
	m := new(machine)
	c := dpdk.EALConfig{Prefix: "sluice-bench", MainCore: o.mainCore, WorkerCores: []int{o.core, o.second},
		Others: []int{o.mainCore}, Hugepages: o.hugepages}
	if !o.hugepages {
		c.MemoryMB = 768
	}
	processors := runtime.GOMAXPROCS(0)
	var err error
	if m.eal, err = dpdk.Init(c); err != nil {
		return nil, err
	}
	runtime.GOMAXPROCS(processors)
	dpdk.SetProcessors(1, 1)
	if m.pool, err = dpdk.NewPool("bench", mbufs, dataRoom, cache, m.eal.Socket(0)); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if m.port, err = dpdk.NewRingPort(dpdk.PortConfig{Name: "bench", Pool: m.pool}, ringSize); err != nil {
		return nil, errors.Join(err, m.close())
	}
	if n := m.port.Index(); n != 0 {
		return nil, errors.Join(fmt.Errorf("make port: index %d: not the only one: close the others", n), m.close())
	}
	return m, nil
}

// second is the same with a ring port of its own, on the second worker's core.
func (m *machine) second() (*machine, error) {
	other := *m
	other.lcore = 1
	var err error
	other.port, err = dpdk.NewRingPort(dpdk.PortConfig{Name: "second", Pool: m.pool}, ringSize)
	return &other, err
}

// onCore runs fn on the worker's lcore and waits for it.
func (m *machine) onCore(fn func() error) error {
	var err error
	if panicked := <-m.eal.Run(m.lcore, func() { err = fn() }); panicked != nil {
		return panicked
	}
	return err
}

func (m *machine) close() (err error) {
	if m.port != nil {
		err = m.port.Close()
	}
	if m.pool != nil {
		err = errors.Join(err, m.pool.Close())
	}
	return errors.Join(err, m.eal.Close())
}
