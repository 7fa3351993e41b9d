package dpdk

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"syscall"
)

// SetMTU changes the MTU (bytes of IP packet) of the running device. Some
// devices refuse it while they run, and net_af_packet's rings have the size that
// the first MTU needed: close the port and attach it anew.
func (p *Port) SetMTU(mtu uint16) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return failure("set port MTU", p.info.Name, errClosed, "attach it again")
	}
	if err := p.fits(mtu); err != nil {
		return err
	}
	if mtu > p.ringMTU {
		return failure("set port MTU", mtu, because("the rings of %s were made for %d", p.info.Device, p.ringMTU), "attach it again with the new MTU")
	}
	if err := p.setMTU(mtu); err != nil {
		return err
	}
	p.info.MTU = mtu
	return nil
}

// setMTU tells the device, or the kernel interfaces under it. A driver without
// an MTU of its own (net_null, net_ring, net_pcap) takes any frame.
func (p *Port) setMTU(mtu uint16) error {
	for _, l := range p.links {
		if err := l.setMTU(uint32(mtu)); err != nil {
			return err
		}
	}
	if len(p.links) > 0 {
		return nil
	}
	var err error
	lines := withLog(func() { err = result(C.sluice_set_mtu(p.id, C.uint16_t(mtu))) })
	p.ownMTU = err == nil
	if err == nil || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return failure("set port MTU", mtu, explain(err, lines), "choose an MTU that "+p.info.Device+" supports")
}

// fits refuses an MTU whose frames would not fit into one buffer.
func (p *Port) fits(mtu uint16) error {
	room := p.pool.dataRoom
	if int(mtu)+linkOverhead <= room {
		return nil
	}
	return failure("MTU of port "+p.info.Name, mtu, because("the pool's buffers hold frames of %d bytes", room),
		fmt.Sprintf("use an MTU up to %d or a data room of %d", room-linkOverhead, int(mtu)+linkOverhead))
}

// deviceMTU is what DPDK is told. Some drivers refuse more than 1500, although
// larger frames pass: net_af_packet, where rings and interface decide, and
// net_memif, which has no MTU.
func (p *Port) deviceMTU(mtu uint16) uint16 {
	for _, d := range p.device.all() {
		if d.driver == afPacket || d.driver == memif {
			return min(mtu, defaultMTU)
		}
	}
	return mtu
}
