package dpdk

// #include <stdlib.h>
// #include "ringport.h"
// #include "shim.h"
// #cgo noescape sluice_ring_put
// #cgo nocallback sluice_ring_put
// #cgo noescape sluice_ring_get
// #cgo nocallback sluice_ring_get
import "C"

import (
	"errors"
	"syscall"
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// RingPort is a net_ring port whose rings are in reach: what Inject puts in, Rx
// receives; what Tx transmits, Collect takes out. The device that DPDK makes of
// "net_ring0" has 1024 places and returns to the sender; this one is as large
// as asked for. For benchmarks.
type RingPort struct {
	*Port
	rx, tx unsafe.Pointer // struct rte_ring *
}

// NewRingPort makes a started port of one queue whose rings hold size-1 frames
// each; size is a power of two. c.Name names port and rings, c.Device is ignored.
func NewRingPort(c PortConfig, size int) (*RingPort, error) {
	process.Lock()
	defer process.Unlock()
	if !process.up {
		return nil, failure("make ring port", c.Name, because("EAL does not run"), "call Init first")
	}
	c = c.withDefaults()
	c.Queues, c.Device = 1, "net_ring_"+c.Name
	if err := c.check(); err != nil {
		return nil, err
	}
	p := new(RingPort)
	if err := p.makeRings(c.Name, size); err != nil {
		p.freeRings()
		return nil, err
	}
	id, err := p.device(c.Name)
	if err != nil {
		p.freeRings()
		return nil, err
	}
	p.Port = newPort(c, device{text: c.Device, name: c.Device, driver: ring})
	p.Port.id, p.Port.probed = id, true
	if err := p.setUp(c); err != nil {
		defer p.freeRings()
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *RingPort) makeRings(name string, size int) (err error) {
	if p.rx, err = newRing(name+"-rx", size); err == nil {
		p.tx, err = newRing(name+"-tx", size)
	}
	return err
}

func newRing(name string, size int) (unsafe.Pointer, error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var errno C.int
	var r unsafe.Pointer
	lines := withLog(func() { r = C.sluice_ring_new(cname, C.uint(size), 0, &errno) })
	if r == nil {
		return nil, failure("make ring", name, explain(syscall.Errno(errno), lines), "choose a power of two as size, or raise EAL memory")
	}
	return r, nil
}

func (p *RingPort) device(name string) (id C.uint16_t, err error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	lines := withLog(func() { err = result(C.sluice_ring_port(cname, p.rx, p.tx, 0, &id)) })
	if err != nil {
		return 0, failure("make ring port", name, explain(err, lines), "give each port a name of its own")
	}
	return id, nil
}

// Inject puts burst[:n] where Rx finds it and returns how many had room; the
// rest stay the caller's. One thread at a time.
func (p *RingPort) Inject(burst *packet.Burst, n int) int {
	return int(C.sluice_ring_put(p.rx, slots(burst), C.uint16_t(n)))
}

// Collect takes up to a burst of transmitted frames, which are the caller's
// then. One thread at a time.
func (p *RingPort) Collect(burst *packet.Burst) int {
	return int(C.sluice_ring_get(p.tx, slots(burst), packet.BurstSize))
}

// Close frees the frames in the rings, detaches the port and frees the rings.
func (p *RingPort) Close() error {
	process.Lock()
	defer process.Unlock()
	defer p.freeRings()
	return p.close()
}

func (p *RingPort) freeRings() {
	for _, r := range []*unsafe.Pointer{&p.rx, &p.tx} {
		if *r == nil {
			continue
		}
		var burst packet.Burst
		for n := packet.BurstSize; n == packet.BurstSize; {
			n = int(C.sluice_ring_get(*r, slots(&burst), packet.BurstSize))
			free(&burst, n)
		}
		C.sluice_ring_free(*r)
		*r = nil
	}
}
