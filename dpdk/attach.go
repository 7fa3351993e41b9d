package dpdk

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// PortConfig says which device to attach and how.
type PortConfig struct {
	Name           string // as configured; for messages and Info
	Device         string // DPDK device arguments ("net_af_packet0,iface=eth0") or PCI address ("0000:03:00.0")
	MTU            uint16 // bytes of IP packet; 0: 1500
	Queues         uint16 // receive queues, as many transmit queues; 0: 1
	RxRing, TxRing int    // descriptors per queue; 0: 1024; fitted to what the device can
	Pool           *Pool  // where received frames go
	RSSKey         []byte // 40 bytes: the owner function's Toeplitz key; needed for more than one queue
	Promiscuous    bool   // accept frames for other hosts' addresses too
}

// Defaults of PortConfig.
const (
	defaultMTU  = 1500
	defaultRing = 1024

	// linkOverhead is the frame around an IP packet: Ethernet header and one
	// 802.1Q tag, in bytes.
	linkOverhead = 14 + 4
)

// Attach makes a device a started port, without any offload: frames arrive as
// they were on the wire, one buffer each. All multicast is accepted where the
// device can. With several queues the device gets RSSKey and a table of slot i
// -> queue (i mod 128) mod Queues, where it has one; Info tells what it took.
// A net_af_packet device binds to its interface in the calling thread's network
// namespace.
func Attach(c PortConfig) (*Port, error) {
	process.Lock()
	defer process.Unlock()
	if !process.up {
		return nil, failure("attach port", c.Name, because("EAL does not run"), "call Init first")
	}
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := checkDevice(c.Device); err != nil {
		return nil, err
	}
	link, err := openIface(c.Device)
	if err != nil {
		return nil, err
	}
	id, err := probe(c.Device)
	if err != nil {
		return nil, errors.Join(err, link.close())
	}
	p := newPort(id, c, link)
	if err := p.setUp(c); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (c PortConfig) withDefaults() PortConfig {
	if c.MTU == 0 {
		c.MTU = defaultMTU
	}
	if c.Queues == 0 {
		c.Queues = 1
	}
	if c.RxRing == 0 {
		c.RxRing = defaultRing
	}
	if c.TxRing == 0 {
		c.TxRing = defaultRing
	}
	return c
}

func (c PortConfig) check() error {
	switch {
	case c.Pool == nil || c.Pool.ptr == nil:
		return failure("attach port", c.Name, because("no buffer pool"), "make one with NewPool")
	case c.RxRing < 0 || c.RxRing > 32768 || c.TxRing < 0 || c.TxRing > 32768:
		return failure("port ring sizes", fmt.Sprintf("%d, %d", c.RxRing, c.TxRing), because("out of range"), "use 1 to 32768")
	case c.Queues > 1 && len(c.RSSKey) != rssKeyLen:
		return failure("port RSS key", fmt.Sprintf("%d bytes", len(c.RSSKey)),
			because("%d queues need one", c.Queues), fmt.Sprintf("give the owner function's %d bytes", rssKeyLen))
	}
	return nil
}

// newPort registers a port under the lowest free index.
func newPort(id C.uint16_t, c PortConfig, link *iface) *Port {
	index := slices.Index(process.ports, nil)
	if index < 0 {
		index = len(process.ports)
		process.ports = append(process.ports, nil)
	}
	p := &Port{id: id, index: C.uint16_t(index), iface: link, room: c.Pool.dataRoom}
	p.info = packet.PortInfo{Name: c.Name, Device: c.Device, MTU: c.MTU, Queues: c.Queues}
	process.ports[index] = p
	return p
}

// probe attaches a device and finds its port. DPDK may report success for a
// device that made no port, so only the port counts.
func probe(device string) (C.uint16_t, error) {
	args := C.CString(device)
	defer C.free(unsafe.Pointer(args))
	var id C.uint16_t
	var err error
	lines := withLog(func() { err = result(C.sluice_probe(args, &id)) })
	if err == nil && slices.ContainsFunc(process.ports, func(p *Port) bool { return p != nil && p.id == id }) {
		err = syscall.EEXIST
	}
	if err == nil {
		return id, nil
	}
	todo := "check driver name and arguments (DPDK guide, Network Interface Controller Drivers)"
	if errors.Is(err, syscall.EEXIST) {
		todo = "attach it once; give a second virtual device another number"
	}
	return 0, failure("attach device", device, explain(err, lines), todo)
}

// setUp takes the attached device through DPDK's steps up to start.
func (p *Port) setUp(c PortConfig) error {
	var l C.struct_sluice_limits
	if err := p.step("read abilities", func() C.int { return C.sluice_limits_get(p.id, &l) }); err != nil {
		return err
	}
	if err := p.checkLimits(c, &l); err != nil {
		return err
	}
	conf := c.forDevice(&l)
	if err := p.step("configure", func() C.int { return C.sluice_configure(p.id, &conf) }); err != nil {
		return err
	}
	if err := p.step("set up queues", func() C.int { return C.sluice_queues(p.id, &conf, c.Pool.ptr) }); err != nil {
		return err
	}
	if err := p.setMTU(c.MTU); err != nil {
		return err
	}
	if err := p.setFilters(c); err != nil {
		return err
	}
	if err := p.step("start", func() C.int { return C.sluice_start(p.id) }); err != nil {
		return err
	}
	return p.readBack(&conf, uint16(l.reta_size))
}

// forDevice is the configuration as C gets it.
func (c PortConfig) forDevice(l *C.struct_sluice_limits) C.struct_sluice_conf {
	conf := C.struct_sluice_conf{
		mtu: C.uint16_t(c.MTU), queues: C.uint16_t(c.Queues),
		rx_ring: C.uint16_t(c.RxRing), tx_ring: C.uint16_t(c.TxRing),
	}
	if c.Queues > 1 && l.rss_key_size >= rssKeyLen && int(l.rss_key_size) <= len(conf.rss_key) {
		conf.rss_key_size = l.rss_key_size
		for i, b := range c.RSSKey {
			conf.rss_key[i] = C.uint8_t(b)
		}
	}
	return conf
}

// step runs one of DPDK's steps and makes its refusal an error.
func (p *Port) step(what string, fn func() C.int) error {
	var err error
	lines := withLog(func() { err = result(fn()) })
	if err == nil {
		return nil
	}
	todo := "check the device's arguments"
	if errors.Is(err, syscall.ENOMEM) {
		todo = "raise EAL memory, the pool's data room, or lower rings and queues"
	}
	return failure(what+" of port "+p.info.Name, p.info.Device, explain(err, lines), todo)
}

// checkLimits compares the configuration with what the device can.
func (p *Port) checkLimits(c PortConfig, l *C.struct_sluice_limits) error {
	p.info.Driver = C.GoString(&l.driver[0])
	p.info.Socket = int(l.socket)
	if can := uint16(min(l.rx_queues, l.tx_queues)); c.Queues > can {
		return failure("queues of port "+c.Name, c.Queues, because("%s has %d", c.Device, can), queueRemedy(p.info.Driver, c.Queues, can))
	}
	if c.MTU < uint16(l.min_mtu) || c.MTU > uint16(l.max_mtu) {
		return failure("MTU of port "+c.Name, c.MTU, because("%s takes %d to %d", c.Device, l.min_mtu, l.max_mtu), "choose one in between")
	}
	return p.fits(c.MTU)
}

// queueRemedy is how to get more queues out of a driver.
func queueRemedy(driver string, want, can uint16) string {
	switch driver {
	case "net_af_packet":
		return fmt.Sprintf("add qpairs=%d to the device, or use %d workers", want, can)
	case "net_af_xdp":
		return fmt.Sprintf("add queue_count=%d to the device, or use %d workers", want, can)
	}
	return fmt.Sprintf("use at most %d workers", can)
}

// fits refuses an MTU whose frames would not fit into one buffer.
func (p *Port) fits(mtu uint16) error {
	if int(mtu)+linkOverhead <= p.room {
		return nil
	}
	return failure("MTU of port "+p.info.Name, mtu, because("the pool's buffers hold frames of %d bytes", p.room),
		fmt.Sprintf("use an MTU up to %d or a data room of %d", p.room-linkOverhead, int(mtu)+linkOverhead))
}
