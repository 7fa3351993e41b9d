package kernel

import (
	"fmt"
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
)

// PortSpec is one network of a port and its twin: the untagged one, or a VLAN.
// Several have the same Index; exactly one of them is untagged.
type PortSpec struct {
	Name      string // as configured
	Index     int    // as in packet.Buf.Port
	VLAN      uint16 // 802.1Q id; 0: untagged frames, and those tagged with a priority alone
	MAC       packet.MAC
	MTU       uint16         // bytes of IP packet
	TwinName  string         // interface name; empty: "sl-" and Name, and for a VLAN a dot and its id
	Devices   []string       // interfaces behind a net_af_packet port or bond, to be silenced; of VLANs: ignored
	Addresses []netip.Prefix // of the twin, with the host part
	Routes    []RouteSpec    // out of the twin
}

func (s *PortSpec) twinName() string {
	switch {
	case s.TwinName != "":
		return s.TwinName
	case s.VLAN != 0:
		return fmt.Sprintf("sl-%s.%d", s.Name, s.VLAN)
	}
	return "sl-" + s.Name
}

func (s *PortSpec) network() network { return network{uint16(s.Index), s.VLAN} }

// RouteSpec is a route in the main table; without Via it is on-link.
type RouteSpec struct {
	To  netip.Prefix
	Via netip.Addr
}

// maxVLAN is the greatest id; 4095 is reserved (IEEE 802.1Q table 9-2).
const maxVLAN = 4094

// check finds specs that cannot be.
func check(ports []PortSpec, rings []*packet.KernelRings) error {
	seen := map[network]bool{}
	for _, spec := range ports {
		if spec.Index < 0 || len(rings) == 0 || spec.Index >= len(rings[0].From) || spec.VLAN > maxVLAN || seen[spec.network()] {
			return fmt.Errorf("open kernel path: port %s: index %d has no ring of worker 0, or VLAN %d is none, or taken", spec.Name, spec.Index, spec.VLAN)
		}
		seen[spec.network()] = true
	}
	return nil
}
