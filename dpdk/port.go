package dpdk

// #include "shim.h"
import "C"

import (
	"errors"
	"slices"
	"sync"

	"github.com/sluice-lb/sluice/packet"
)

// Port is an attached, started device.
type Port struct {
	id    C.uint16_t // DPDK's number
	index C.uint16_t // ours
	lacp  bool       // a bond that must transmit to stay alive

	mu          sync.Mutex // guards what follows; never taken by Rx and Tx
	info        packet.PortInfo
	pool        *Pool
	device      device
	links       []*iface // the device's or its members' kernel interfaces; nil: none
	members     []member // of a bond
	probed      bool     // DPDK has it
	started     bool     // and has started it
	closed      bool
	allMulti    bool
	promiscuous bool
	ownMTU      bool   // the device has an MTU to be told
	ringMTU     uint16 // the most that its rings hold
	limits      []string

	done  chan struct{} // ends watch; nil: nobody watches
	watch sync.WaitGroup
}

var _ packet.Port = (*Port)(nil)

// Rx fills bufs from the front and returns how many frames it put there. One
// crossing into C.
func (p *Port) Rx(queue uint16, bufs *packet.Burst) int {
	rx := calls.rx
	if p.lacp {
		rx = calls.rx_lacp
	}
	return call(rx, &burst{bufs: slots(bufs), port: p.id, queue: C.uint16_t(queue)})
}

// Tx transmits bufs[:n] and returns how many the device took; the rest are
// freed by the same crossing.
func (p *Port) Tx(queue uint16, bufs *packet.Burst, n int) int {
	return call(calls.tx, &burst{bufs: slots(bufs), port: p.id, queue: C.uint16_t(queue), n: C.uint16_t(n)})
}

// Index is the port's number in the order of Attach, the lowest that was free.
func (p *Port) Index() int { return int(p.index) }

// Info describes the port.
func (p *Port) Info() packet.PortInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.info
}

// AllMulticast says whether the device was told to accept all multicast
// frames. Some drivers cannot be told (net_pcap).
func (p *Port) AllMulticast() bool { return p.allMulti }

// LinkUp is the carrier of the device, of a bond that of any member; false when
// the port is closed.
func (p *Port) LinkUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if len(p.links) > 0 {
		return slices.ContainsFunc(p.links, (*iface).up)
	}
	return C.sluice_link_up(p.id) > 0
}

var errClosed = errors.New("the port is closed")

// Stats reads the device's own counters.
func (p *Port) Stats() (packet.PortStats, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return packet.PortStats{}, failure("read port counters", p.info.Name, errClosed, "attach it again")
	}
	var s C.struct_sluice_stats
	if err := result(C.sluice_stats_get(p.id, &s)); err != nil {
		return packet.PortStats{}, failure("read port counters", p.info.Name, err, "the driver does not count")
	}
	return packet.PortStats{
		RxPackets: uint64(s.rx_packets), TxPackets: uint64(s.tx_packets),
		RxBytes: uint64(s.rx_bytes), TxBytes: uint64(s.tx_bytes),
		RxMissed: uint64(s.rx_missed), RxErrors: uint64(s.rx_errors),
		TxErrors: uint64(s.tx_errors), RxNoBuf: uint64(s.rx_no_buf),
	}, nil
}
