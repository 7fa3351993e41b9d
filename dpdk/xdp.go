package dpdk

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"slices"
	"strconv"
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// net_af_xdp redirects frames to sockets, one per receive queue of the
// interface, before the kernel behind it sees them.

// checkXDPQueues refuses an interface with more receive queues than the device:
// frames of the others would pass to the kernel and be lost to us. Who steers by
// rules of the card says so by start_queue.
func (d device) checkXDPQueues(i *iface) error {
	if d.driver != afXDP || d.value("start_queue") != "" {
		return nil
	}
	name := C.CString(i.name)
	defer C.free(unsafe.Pointer(name))
	has := int(C.sluice_rx_channels(C.int(i.fd), name))
	takes := 1
	if n, err := strconv.Atoi(d.value("queue_count")); err == nil {
		takes = n
	}
	if has <= takes {
		return nil
	}
	return failure("attach device", d.text,
		because("interface %s has %d receive queues, the device %d: the frames of the others would be lost", i.name, has, takes),
		fmt.Sprintf("ethtool -L %s combined %d, or as many workers and queue_count=%d (a veth: make it with numrxqueues 1)", i.name, takes, has))
}

// checkRoom: net_af_xdp gives the kernel the pool's buffers themselves, which
// must not be larger than a page.
func (p *Port) checkRoom(c PortConfig) error {
	xdp := slices.ContainsFunc(p.device.all(), func(d device) bool { return d.driver == afXDP })
	most := pageSize - headroom - ringSlack - int(unsafe.Sizeof(packet.Buf{})) - mempoolHeader
	if !xdp || c.Pool.dataRoom <= most {
		return nil
	}
	return failure("buffers for port "+c.Name, fmt.Sprintf("%d bytes", c.Pool.dataRoom),
		because("net_af_xdp takes no more than %d", most),
		fmt.Sprintf("use an MTU of at most %d on all ports, or net_af_packet here", most-linkOverhead-4))
}

// mempoolHeader is what a mempool puts before a buffer, in bytes, with room for
// alignment (struct rte_mempool_objhdr).
const mempoolHeader = 64

// reclaim looks after the buffers of net_af_xdp when it is closed. Those that the
// kernel has transmitted are freed at the next transmit burst, so there is an
// empty one; those of the fill ring are lost.
func (p *Port) reclaim() {
	for _, d := range p.device.all() {
		if d.driver != afXDP || !p.started {
			continue
		}
		for q := range p.info.Queues {
			p.Tx(q, nil, 0)
			p.Tx(q, nil, 0)
		}
		p.pool.keep(xdpFill * int(p.info.Queues))
	}
}
