package dpdk

// #include "shim.h"
import "C"

import (
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/thread"
)

// burst is what C gets to know of a call.
type burst = C.struct_sluice_burst

// calls are the C functions that a worker calls while it polls: they do not block
// (a system call of a driver that lives in the kernel, such as net_af_packet, at
// most), and keep no pointer.
var calls = C.sluice_calls

// call crosses into C without telling Go's scheduler: see package thread. Nothing is
// allocated; b and the burst may be on the goroutine's stack, which does not move
// meanwhile.
func call(fn *C.sluice_call, b *burst) int {
	return int(thread.Call(unsafe.Pointer(fn), unsafe.Pointer(b)))
}

// slots is a burst as C gets it: the pointers in it are all DPDK's, none is Go's.
func slots(b *packet.Burst) *C.uintptr_t { return (*C.uintptr_t)(unsafe.Pointer(b)) }

func free(b *packet.Burst, n int) { call(calls.free, &burst{bufs: slots(b), n: C.uint16_t(n)}) }
