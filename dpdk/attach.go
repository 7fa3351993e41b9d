package dpdk

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"math"
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
	d, err := parseDevice(c.Device)
	if err != nil {
		return nil, err
	}
	for _, check := range []func() error{c.check, d.check, func() error { return d.checkFrames(c.MTU) }} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	p := newPort(c, d)
	if err := p.open(c.MTU); err != nil {
		return nil, errors.Join(err, p.close())
	}
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
func newPort(c PortConfig, d device) *Port {
	index := slices.Index(process.ports, nil)
	if index < 0 {
		index = len(process.ports)
		process.ports = append(process.ports, nil)
	}
	p := &Port{index: C.uint16_t(index), device: d, pool: c.Pool, ringMTU: math.MaxUint16}
	p.lacp = d.driver == bonding && d.value("mode") == "4"
	p.info = packet.PortInfo{Name: c.Name, Device: c.Device, MTU: c.MTU, Queues: c.Queues}
	process.ports[index] = p
	return p
}

// open has DPDK take the device, a bond's members before it.
func (p *Port) open(mtu uint16) (err error) {
	for _, d := range p.device.members {
		link, err := p.openLink(d)
		if err != nil {
			return failure("member of", p.device.name, err, "correct the member, or leave it out")
		}
		id, err := probe(d, mtu)
		if err != nil {
			return failure("member of", p.device.name, err, "correct the member, or leave it out")
		}
		p.members = append(p.members, member{d.name, id, link})
	}
	if _, err = p.openLink(p.device); err != nil {
		return err
	}
	p.id, err = probe(p.device, mtu)
	p.probed = err == nil
	return err
}

func (p *Port) openLink(d device) (*iface, error) {
	link, err := openIface(d)
	if link == nil || err != nil {
		return nil, err
	}
	p.links = append(p.links, link)
	return link, d.checkXDPQueues(link)
}

// probe attaches a device and finds its port. DPDK may report success for a
// device that made no port, so only the port counts.
func probe(d device, mtu uint16) (C.uint16_t, error) {
	args := C.CString(d.dpdk(mtu))
	defer C.free(unsafe.Pointer(args))
	var id C.uint16_t
	var err error
	lines := withLog(func() { err = result(C.sluice_probe(args, &id)) })
	if err == nil && slices.ContainsFunc(process.ports, func(p *Port) bool { return p.has(id) }) {
		err = syscall.EEXIST
	}
	if err == nil {
		return id, nil
	}
	return 0, failure("attach device", d.text, explain(err, lines), probeRemedy(d, err))
}

// has says whether a device is a port's or one of its members.
func (p *Port) has(id C.uint16_t) bool {
	return p != nil && (p.probed && p.id == id || slices.ContainsFunc(p.members, func(m member) bool { return m.id == id }))
}

func probeRemedy(d device, err error) string {
	switch {
	case errors.Is(err, syscall.EEXIST):
		return "attach it once; give a second virtual device another number"
	case d.driver == afPacket || d.driver == afXDP || d.driver == tap:
		return "check the arguments, and run as root or with CAP_NET_RAW and CAP_NET_ADMIN (net_af_xdp: CAP_BPF, too)"
	}
	return "check driver name and arguments (DPDK guide, Network Interface Controller Drivers)"
}

// setUp takes the attached device through DPDK's steps up to start.
func (p *Port) setUp(c PortConfig) error {
	l, err := p.abilities()
	if err != nil {
		return err
	}
	if err := p.checkLimits(c, l); err != nil {
		return err
	}
	conf := c.forDevice(l)
	conf.mtu = C.uint16_t(p.deviceMTU(c.MTU))
	if err := p.step("configure", func() C.int { return C.sluice_configure(p.id, &conf) }); err != nil {
		return err
	}
	if err := p.step("set up queues", func() C.int { return C.sluice_queues(p.id, &conf, c.Pool.ptr) }); err != nil {
		return err
	}
	p.started = true // net_af_xdp has its buffers now
	if len(p.links) == 0 {
		err = p.setMTU(c.MTU)
	}
	if err != nil {
		return err
	}
	if err := p.setFilters(c); err != nil {
		return err
	}
	if err := p.step("start", func() C.int { return C.sluice_start(p.id) }); err != nil {
		return err
	}
	return p.settle(c, &conf, l)
}

// settle is what can be done to a started device only.
func (p *Port) settle(c PortConfig, conf *C.struct_sluice_conf, l *C.struct_sluice_limits) error {
	if len(p.links) > 0 { // starting a bond has set its members' to 1500
		if err := p.setMTU(c.MTU); err != nil {
			return err
		}
	}
	if err := p.readBack(conf, uint16(l.reta_size)); err != nil {
		return err
	}
	p.ringMTU = p.ringHolds(c.MTU)
	p.findLimits(c)
	p.startWatch()
	return nil
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
