package dpdk

// #include "shim.h"
import "C"

import (
	"slices"
	"time"
)

// member is a device in a bond.
type member struct {
	name string
	id   C.uint16_t
	link *iface // nil: it has none, and DPDK knows its carrier
}

// carrierPeriod is how often an active-backup bond's members are looked at:
// DPDK's own period for its bonds.
const carrierPeriod = 10 * time.Millisecond

// startWatch is for active-backup bonds of devices on kernel interfaces: DPDK
// changes over by itself when a member loses its carrier, but these claim to be
// up always.
func (p *Port) startWatch() {
	if p.device.value("mode") != "1" || len(p.links) < len(p.members) {
		return
	}
	primary := slices.IndexFunc(p.members, func(m member) bool { return m.name == p.device.value("primary") })
	p.done = make(chan struct{})
	p.watch.Go(func() { p.watchMembers(primary) })
}

// watchMembers keeps the bond on a member with a carrier; primary is -1 when
// none is preferred.
func (p *Port) watchMembers(primary int) {
	current := max(primary, 0) // where the bond starts
	tick := time.NewTicker(carrierPeriod)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-tick.C:
			if next := chooseMember(p.members, current, primary); next != current {
				// It cannot fail: the member is the bond's.
				C.sluice_bond_use(p.id, p.members[next].id)
				current = next
			}
		}
	}
}

// chooseMember prefers the primary, then the one in use, then the first.
func chooseMember(members []member, current, primary int) int {
	up := func(i int) bool { return members[i].link.up() }
	switch {
	case primary >= 0 && up(primary):
		return primary
	case up(current):
		return current
	}
	for i := range members {
		if up(i) {
			return i
		}
	}
	return current
}
