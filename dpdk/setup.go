package dpdk

// #include "shim.h"
import "C"

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// setFilters says which frames the device accepts besides its own address's. One
// that cannot be told to accept multicast is told to accept everything.
func (p *Port) setFilters(c PortConfig) error {
	if len(p.links) > 0 {
		if err := p.setIfaceFilters(c); err != nil || !p.lacp {
			return err
		}
	}
	done, err := p.optional("accept multicast", func() C.int { return C.sluice_allmulticast(p.id) })
	p.allMulti = p.allMulti || done
	if err != nil || done && !c.Promiscuous {
		return err
	}
	done, err = p.optional("set promiscuous", func() C.int { return C.sluice_promiscuous(p.id) })
	p.promiscuous = done
	if err == nil && c.Promiscuous && !done && len(p.links) == 0 {
		err = failure("set promiscuous", p.info.Name, because("%s cannot", p.info.Driver), "switch it off for this port")
	}
	return err
}

// setIfaceFilters: the members of a bond have one address among them, which only
// one interface may have.
func (p *Port) setIfaceFilters(c PortConfig) error {
	for _, l := range p.links {
		if err := l.accept(unix.PACKET_MR_ALLMULTI); err != nil {
			return err
		}
		if c.Promiscuous || len(p.members) > 0 {
			if err := l.accept(unix.PACKET_MR_PROMISC); err != nil {
				return err
			}
		}
	}
	p.allMulti = true
	return nil
}

// readBack fills Info with what the started device says of itself.
func (p *Port) readBack(conf *C.struct_sluice_conf, slots uint16) error {
	var mac [6]C.uint8_t
	if err := p.step("read address", func() C.int { return C.sluice_mac(p.id, &mac[0]) }); err != nil {
		return err
	}
	for i, b := range mac {
		p.info.MAC[i] = byte(b)
	}
	var mtu C.uint16_t
	if err := p.step("read MTU", func() C.int { return C.sluice_get_mtu(p.id, &mtu) }); err != nil {
		return err
	}
	if p.ownMTU { // else what we were told holds: the interface was told, or nobody
		p.info.MTU = uint16(mtu)
	}
	if conf.rss_key_size == 0 {
		return nil
	}
	return errors.Join(p.setUpKey(conf), p.setUpTable(slots))
}

// setUpKey writes the RSS key and reads it back: a device may keep its own.
func (p *Port) setUpKey(conf *C.struct_sluice_conf) error {
	size := conf.rss_key_size
	_, err := p.optional("write RSS key", func() C.int { return C.sluice_rss_key_set(p.id, &conf.rss_key[0], size) })
	if err != nil && !errors.Is(err, syscall.EINVAL) { // net_tap: "cannot be updated"
		return err
	}
	var key [64]C.uint8_t
	done, err := p.optional("read RSS key", func() C.int { return C.sluice_rss_key_get(p.id, &key[0], size) })
	for _, b := range key[:size] {
		if done {
			p.info.RSSKey = append(p.info.RSSKey, byte(b))
		}
	}
	return err
}

// setUpTable writes the RSS table: slot -> queue.
func (p *Port) setUpTable(slots uint16) error {
	if slots == 0 {
		return nil
	}
	done, err := p.optional("write RSS table", func() C.int {
		return C.sluice_reta_set(p.id, C.uint16_t(slots), C.uint16_t(p.info.Queues))
	})
	if done {
		p.info.RSSSize = slots
	}
	return err
}

// optional is a step that a driver may not know; it reports whether it did it.
func (p *Port) optional(what string, fn func() C.int) (bool, error) {
	err := p.step(what, fn)
	if errors.Is(err, syscall.ENOTSUP) {
		return false, nil
	}
	return err == nil, err
}
