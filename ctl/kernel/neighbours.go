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

// id is the next-hop id of a host on a link, allocated when first asked for and
// never given to another while the process lives. 0 when all are taken.
func (m *mirror) id(key service.Neighbour) service.NextHopID {
	if id := m.ids[key]; id != 0 {
		return id
	}
	if len(m.ids) >= service.MaxNextHops-1 {
		if !m.exhausted {
			m.log.Error("next-hop ids are used up: hosts seen from now on are not forwarded to: restart", "ids", len(m.ids))
			m.exhausted = true
		}
		return 0
	}
	id := service.NextHopID(len(m.ids) + 1)
	m.ids[key] = id
	return id
}

// setHop writes what is known of a host into its slot, if it has one.
func (m *mirror) setHop(key service.Neighbour) {
	id := m.ids[key]
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
// host comes or goes; one that merely moves to another MAC changes its slot.
func (m *mirror) learn(key service.Neighbour, n neighbour) {
	_, known := m.neighbours[key]
	m.neighbours[key] = n
	had := m.ids[key] != 0
	if n.resolved {
		m.id(key)
	}
	m.setHop(key)
	m.changed = m.changed || m.ids[key] != 0 && !(known && had)
}

// forget drops a neighbour that the kernel has dropped.
func (m *mirror) forget(key service.Neighbour) {
	delete(m.neighbours, key)
	m.setHop(key)
	m.changed = m.changed || m.ids[key] != 0
}
