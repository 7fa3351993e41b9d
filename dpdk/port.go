package dpdk

// #include "shim.h"
// #cgo noescape sluice_rx
// #cgo nocallback sluice_rx
// #cgo noescape sluice_tx
// #cgo nocallback sluice_tx
import "C"

import (
	"errors"
	"sync"
	"syscall"

	"github.com/sluice-lb/sluice/packet"
)

// Port is an attached, started device.
type Port struct {
	id    C.uint16_t // DPDK's number
	index C.uint16_t // ours: what Rx writes into Buf.Port

	mu       sync.Mutex // guards what follows; never taken by Rx and Tx
	info     packet.PortInfo
	room     int    // bytes of frame that the pool's buffers hold
	iface    *iface // nil: the device has none
	closed   bool
	allMulti bool
}

var _ packet.Port = (*Port)(nil)

// Rx fills burst from the front and returns how many frames it put there. One
// cgo call; the index of the port is written into each frame on the way.
func (p *Port) Rx(queue uint16, burst *packet.Burst) int {
	return int(C.sluice_rx(p.id, C.uint16_t(queue), p.index, slots(burst)))
}

// Tx transmits burst[:n] and returns how many the device took; the rest are
// freed by the same cgo call.
func (p *Port) Tx(queue uint16, burst *packet.Burst, n int) int {
	return int(C.sluice_tx(p.id, C.uint16_t(queue), slots(burst), C.uint16_t(n)))
}

// Index is the port's number in the order of Attach, the lowest that was free:
// the value of Buf.Port in frames that it received.
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

// LinkUp is the carrier of the device; false when the port is closed.
func (p *Port) LinkUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if p.iface != nil {
		return p.iface.up()
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

// SetMTU changes the MTU (bytes of IP packet) of the running device. Some
// devices refuse it while they run: close the port and attach it anew.
func (p *Port) SetMTU(mtu uint16) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return failure("set port MTU", p.info.Name, errClosed, "attach it again")
	}
	if err := p.fits(mtu); err != nil {
		return err
	}
	if err := p.setMTU(mtu); err != nil {
		return err
	}
	p.info.MTU = mtu
	return nil
}

// setMTU tells the device. A driver without an MTU of its own (net_null,
// net_ring, net_pcap) takes any frame.
func (p *Port) setMTU(mtu uint16) error {
	var err error
	lines := withLog(func() { err = result(C.sluice_set_mtu(p.id, C.uint16_t(mtu))) })
	if err == nil || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return failure("set port MTU", mtu, explain(err, lines), "choose an MTU that "+p.info.Device+" supports")
}

// Close stops and detaches the device and frees the buffers in its rings. No
// worker may use the port any more. A second Close does nothing.
func (p *Port) Close() error {
	process.Lock()
	defer process.Unlock()
	return p.close()
}

func (p *Port) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	process.ports[p.index] = nil
	var stop, detach error
	lines := withLog(func() {
		stop = result(C.sluice_stop(p.id))
		detach = result(C.sluice_detach(p.id))
	})
	if err := errors.Join(stop, detach, p.iface.close()); err != nil {
		return failure("detach port", p.info.Name, explain(err, lines), "restart the process to release "+p.info.Device)
	}
	return nil
}

// detachStray detaches a device that did not become a Port.
func detachStray(id C.uint16_t) error {
	var err error
	lines := withLog(func() { err = result(C.sluice_detach(id)) })
	return explain(err, lines)
}
