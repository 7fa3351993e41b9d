package dpdk

// #include "shim.h"
import "C"

import "fmt"

// abilities are the device's; of a bond what all its members can: it knows them
// only when it is configured.
func (p *Port) abilities() (*C.struct_sluice_limits, error) {
	l := new(C.struct_sluice_limits)
	if err := p.step("read abilities", func() C.int { return C.sluice_limits_get(p.id, l) }); err != nil {
		return nil, err
	}
	for _, m := range p.members {
		var of C.struct_sluice_limits
		if err := p.step("read abilities", func() C.int { return C.sluice_limits_get(m.id, &of) }); err != nil {
			return nil, err
		}
		l.rx_queues, l.tx_queues = min(l.rx_queues, of.rx_queues), min(l.tx_queues, of.tx_queues)
		l.max_mtu, l.min_mtu = min(l.max_mtu, of.max_mtu), max(l.min_mtu, of.min_mtu)
		l.socket = of.socket
		if of.rss_key_size == 0 {
			l.rss_key_size = 0
		}
	}
	return l, nil
}

// checkLimits compares the configuration with what the device can.
func (p *Port) checkLimits(c PortConfig, l *C.struct_sluice_limits) error {
	p.info.Driver = C.GoString(&l.driver[0])
	p.info.Socket = int(l.socket)
	if can := uint16(min(l.rx_queues, l.tx_queues)); c.Queues > can {
		return failure("queues of port "+c.Name, c.Queues, because("%s has %d", c.Device, can), queueRemedy(p.device, c.Queues, can))
	}
	if err := p.checkRoom(c); err != nil {
		return err
	}
	if mtu := p.deviceMTU(c.MTU); mtu < uint16(l.min_mtu) || mtu > uint16(l.max_mtu) {
		return failure("MTU of port "+c.Name, c.MTU, because("%s takes %d to %d", c.Device, l.min_mtu, l.max_mtu), "choose one in between")
	}
	return p.fits(c.MTU)
}

// queueRemedy is how to get more queues out of a device.
func queueRemedy(d device, want, can uint16) string {
	less := fmt.Sprintf("have %d in workers.cores", can)
	of := d.all()[0]
	where := "the device"
	if d.driver == bonding {
		where = "each member"
	}
	switch of.driver {
	case afPacket:
		return fmt.Sprintf("add qpairs=%d to %s, or %s", want, where, less)
	case afXDP:
		return fmt.Sprintf("add queue_count=%d to %s (and ethtool -L %s combined %d), or %s", want, where, of.value("iface"), want, less)
	case vhost, virtioUser:
		return fmt.Sprintf("add queues=%d to %s on both sides, or %s", want, where, less)
	case pcap:
		return fmt.Sprintf("give rx_pcap and tx_pcap %d times each, or %s", want, less)
	}
	return less
}
