package dpdk

import (
	"bytes"
	"fmt"
)

// Limits are what the device lacks, a line each, with what is done instead:
// "no link state: read from the interface". They are known after Attach and do
// not change; docs/devices.md has them as a table.
func (p *Port) Limits() []string { return p.limits }

// peculiarities are what a driver lacks whatever it is told.
var peculiarities = map[string][]string{
	afPacket: {
		"no link state: read from the kernel's interface",
		"the kernel sees the same frames: silence it there (sluiced does)",
	},
	afXDP: {
		"no link state: read from the kernel's interface",
		"no frames above 3 kB: a buffer is a memory page",
		"frames of interface queues without a socket go to the kernel: silence it there (sluiced does)",
		"keeps its fill ring's buffers when it is closed: they come back with the pool",
	},
	tap: {"no receive signal, which Go catches: an empty poll is a system call"},
	memif: {"no address filter: every frame of the peer's is received", "link is up while the peer is connected",
		"as a server keeps DPDK's memory until the process ends"},
	vhost:      {"no address filter: every frame of the peer's is received", "link is up while the peer is connected"},
	virtioUser: {"link is up while the peer is connected"},
	null:       {"no wire: receives empty frames and throws away what it transmits", "link is always up"},
	ring:       {"no wire: receives what it transmits", "link is always up", "address is 00:00:00:00:00:00"},
	pcap:       {"no wire: receives from and transmits to files", "link is always up"},
}

// findLimits lists what the started device turned out not to do.
func (p *Port) findLimits(c PortConfig) {
	seen := map[string]bool{}
	for _, d := range p.device.all() {
		if !seen[d.driver] {
			p.limit(d.driver, peculiarities[d.driver]...)
		}
		seen[d.driver] = true
	}
	if len(p.members) > 0 {
		p.limitBond()
	}
	if c.Queues > 1 {
		p.limit(p.info.Driver, p.limitRSS(c)...)
	}
	if !p.allMulti && !p.promiscuous && !seen[memif] && !seen[vhost] {
		p.limit(p.info.Driver, "cannot be told to accept multicast: it takes what it takes")
	}
	if !p.allMulti && p.promiscuous {
		p.limit(p.info.Driver, "cannot be told to accept multicast: promiscuous instead")
	}
	if !p.ownMTU && len(p.links) == 0 {
		p.limit(p.info.Driver, fmt.Sprintf("no MTU of its own: frames up to %d bytes pass", p.pool.dataRoom))
	}
}

func (p *Port) limit(driver string, texts ...string) {
	for _, text := range texts {
		p.limits = append(p.limits, driver+": "+text)
	}
}

// limitRSS says how frames get to their workers without our key or table.
func (p *Port) limitRSS(c PortConfig) []string {
	switch {
	case p.info.RSSKey == nil && p.device.all()[0].driver == afPacket:
		return []string{"no RSS: the kernel's fanout spreads frames; workers hand them over to their owners"}
	case p.info.RSSKey == nil:
		return []string{"no RSS that takes a key: frames arrive anywhere; workers hand them over to their owners"}
	case !bytes.Equal(p.info.RSSKey[:rssKeyLen], c.RSSKey):
		return []string{"keeps an RSS key of its own; workers hand frames over to their owners"}
	case p.info.RSSSize%rssSlots != 0 || p.info.RSSSize == 0:
		return []string{fmt.Sprintf("an RSS table of %d slots, not %d; workers hand frames over to their owners", p.info.RSSSize, rssSlots)}
	}
	return nil
}

func (p *Port) limitBond() {
	onLinks := len(p.links) == len(p.members)
	switch mode := p.device.value("mode"); {
	case mode == "1" && onLinks:
		p.limit(bonding, fmt.Sprintf("members do not know their carrier: looked at every %v", carrierPeriod))
	case mode != "4" && len(p.links) > 0:
		p.limit(bonding, "members do not know their carrier: frames to a dead one are lost: use mode=1 or mode=4")
	case mode == "4" && len(p.links) > 0:
		p.limit(bonding, "members do not know their carrier: LACP notices a dead one after 90 s, its long time-out")
	}
	if len(p.links) > 0 {
		p.limit(bonding, "members are promiscuous: they share one address")
	}
}
