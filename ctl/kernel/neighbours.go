package kernel

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// neighbour is what the kernel knows of a host on the link of a port.
type neighbour struct {
	mac      packet.MAC
	resolved bool
	managed  bool // the kernel keeps it resolved
	fixed    bool // set by hand: nothing to resolve, and asking would undo that
}

// usable are the states in which the kernel sends without asking first.
const usable = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE |
	unix.NUD_PERMANENT | unix.NUD_NOARP

// readNeighbours reads the neighbours on all twins.
func (m *mirror) readNeighbours() (map[service.Neighbour]neighbour, error) {
	known := map[service.Neighbour]neighbour{}
	for index := range m.ports {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			var list []netlink.Neigh
			err := retryDump(func() (err error) {
				list, err = netlink.NeighList(index, family)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("list neighbours: %w", err)
			}
			for i := range list {
				if key, ok := m.neighbourKey(&list[i]); ok {
					known[key] = parseNeighbour(&list[i])
				}
			}
		}
	}
	return known, nil
}

// neighbourKey is false for what is no host behind a twin.
func (m *mirror) neighbourKey(n *netlink.Neigh) (service.Neighbour, bool) {
	port := m.ports[n.LinkIndex]
	addr, ok := netip.AddrFromSlice(n.IP)
	if port == nil || !ok || n.Family != unix.AF_INET && n.Family != unix.AF_INET6 || n.Flags&netlink.NTF_PROXY != 0 ||
		addr.IsMulticast() {
		return service.Neighbour{}, false
	}
	return service.Neighbour{Link: port.link, Addr: addr}, true
}

func parseNeighbour(n *netlink.Neigh) neighbour {
	out := neighbour{
		managed: n.FlagsExt&netlink.NTF_EXT_MANAGED != 0,
		fixed:   n.State&(unix.NUD_PERMANENT|unix.NUD_NOARP) != 0,
	}
	// The kernel has entries for broadcast addresses as well; those are no hosts.
	if n.State&usable != 0 && len(n.HardwareAddr) == len(out.mac) && n.HardwareAddr[0]&1 == 0 {
		out.resolved = true
		copy(out.mac[:], n.HardwareAddr)
	}
	return out
}

// setHop writes what is known of a host into its slot, if it has one.
func (m *mirror) setHop(key service.Neighbour) {
	id := m.ids.of(key)
	if id == 0 {
		return
	}
	port := m.byLink[key.Link]
	n := m.neighbours[key]
	m.hops.Set(id, service.NextHop{
		Port: port.port, VLAN: port.vlan, MTU: port.mtu, Src: port.mac, Dst: n.mac, Resolved: n.resolved,
	})
}

// learn takes over one neighbour. The view of the network changes only when a
// host comes or goes, or a gateway answers or no more; one that merely moves to
// another MAC changes its slot.
func (m *mirror) learn(key service.Neighbour, n neighbour) {
	old, known := m.neighbours[key]
	m.neighbours[key] = n
	had := m.ids.of(key) != 0
	if n.resolved {
		m.ids.allocate(key)
	}
	m.setHop(key)
	m.changed = m.changed || m.ids.of(key) != 0 && !(known && had) || m.gateways[key] && old.resolved != n.resolved
}

// forget drops a neighbour that the kernel has dropped.
func (m *mirror) forget(key service.Neighbour) {
	delete(m.neighbours, key)
	m.setHop(key)
	m.changed = m.changed || m.ids.of(key) != 0
}
