package dpdk

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// maxRoom is the most bytes of frame that an mbuf's 16-bit lengths allow.
const maxRoom = 65535 - headroom - ringSlack

// Pool is a set of packet buffers in DPDK's memory.
type Pool struct {
	name     string
	size     int
	dataRoom int
	kept     atomic.Int64   // lost to closed devices: see keep
	ptr      unsafe.Pointer // struct rte_mempool *
}

var _ packet.Pool = (*Pool)(nil)

// NewPool makes n buffers of dataRoom bytes behind 128 bytes of headroom, on
// NUMA node socket (-1: any). Each worker keeps up to 1.5 times cache of them
// to itself, which no other thread can have: n should be well above the rings
// of all ports plus cache times 1.5 times workers. DPDK packs best when n is a
// power of two less one.
func NewPool(name string, n, dataRoom, cache, socket int) (*Pool, error) {
	process.Lock()
	defer process.Unlock()
	if !process.up {
		return nil, failure("make pool", name, because("EAL does not run"), "call Init first")
	}
	if err := checkPool(name, n, dataRoom, cache); err != nil {
		return nil, err
	}
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	var errno C.int
	p := &Pool{name: name, size: n, dataRoom: dataRoom}
	lines := withLog(func() {
		p.ptr = C.sluice_pool_new(cname, C.uint(n), C.uint(cache), C.uint16_t(headroom+dataRoom+ringSlack), C.int(socket), &errno)
	})
	if p.ptr == nil {
		return nil, poolError(p, syscall.Errno(errno), lines)
	}
	return p, nil
}

// poolError says what to do about DPDK's refusal.
func poolError(p *Pool, errno syscall.Errno, lines []string) error {
	todo := "choose other sizes"
	switch errno {
	case syscall.ENOMEM, syscall.ENOBUFS:
		perBuf := int(unsafe.Sizeof(packet.Buf{})) + headroom + p.dataRoom + ringSlack
		todo = fmt.Sprintf("needs %d MiB and some: raise EAL memory or use fewer buffers", p.size*perBuf>>20)
	case syscall.EEXIST:
		todo = "give each pool a name of its own"
	}
	return failure("make pool", p.name, explain(errno, lines), todo)
}

func checkPool(name string, n, dataRoom, cache int) error {
	switch {
	case name == "" || len(name) > 25: // RTE_MEMPOOL_NAMESIZE less "MP_"
		return failure("make pool", fmt.Sprintf("%q", name), because("bad name"), "use 1 to 25 characters")
	case n < 1 || n > 1<<30:
		return failure("make pool", n, because("impossible number of buffers"), "use 1 to 2^30")
	case dataRoom < 60 || dataRoom > maxRoom:
		return failure("make pool", dataRoom, because("impossible bytes per buffer"), fmt.Sprintf("use 60 to %d", maxRoom))
	case cache < 0 || cache > maxCache || cache*3/2 > n:
		return failure("make pool", cache, because("cache too large"), fmt.Sprintf("use at most %d and two thirds of the buffers", maxCache))
	}
	return nil
}

// Alloc returns an empty buffer with the default headroom, nil when the pool is
// empty. One crossing into C: it is for the packets that Sluice makes itself.
func (p *Pool) Alloc() *packet.Buf {
	var one packet.Burst
	call(calls.alloc, &burst{bufs: slots(&one), pool: p.ptr})
	return one[0]
}

// Free gives back bufs[:n], of whichever pools they are.
func (p *Pool) Free(bufs *packet.Burst, n int) {
	free(bufs, n)
}

// InUse is how many buffers are out of the pool; those in devices' receive
// rings are, those in workers' caches are not. Exact at a quiet moment only.
func (p *Pool) InUse() int { return int(C.sluice_pool_in_use(p.ptr)) - int(p.kept.Load()) }

// keep takes n buffers off the account: a closed net_af_xdp device does not
// give those in its fill ring back. They come back with the pool's memory.
func (p *Pool) keep(n int) { p.kept.Add(int64(n)) }

// Size is how many buffers the pool has.
func (p *Pool) Size() int { return p.size }

// Close gives the memory back. It refuses while buffers are in use.
func (p *Pool) Close() error {
	process.Lock()
	defer process.Unlock()
	if p.ptr == nil || !process.up { // with the EAL all pools have gone
		return nil
	}
	if n := p.InUse(); n != 0 {
		return failure("close pool", p.name, because("%d buffers are in use", n), "close the ports that use it and free the rest")
	}
	C.sluice_pool_free(p.ptr)
	p.ptr = nil
	return nil
}
