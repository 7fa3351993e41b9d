package kernel

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/service"
)

// maxPaths limits how often the gateways of one route are repeated for their
// weights. There may be more gateways than that; each stays.
const maxPaths = 256

// listRoutes lists the main table.
func listRoutes(family int) ([]netlink.Route, error) {
	var routes []netlink.Route
	err := retryDump(func() (err error) {
		routes, err = netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	return routes, nil
}

// path is one way of a route.
type path struct {
	link   int        // interface
	via    netip.Addr // invalid: on-link
	weight int
	flags  int
}

// paths lists the ways of a route, which the kernel reports in two forms.
func paths(r *netlink.Route) []path {
	if len(r.MultiPath) == 0 {
		return []path{{r.LinkIndex, gateway(r.Gw, r.Via), 1, r.Flags}}
	}
	list := make([]path, len(r.MultiPath))
	for i, hop := range r.MultiPath {
		list[i] = path{hop.LinkIndex, gateway(hop.Gw, hop.Via), hop.Hops + 1, hop.Flags}
	}
	return list
}

// gateway is either of the same family (RTA_GATEWAY) or of another (RTA_VIA).
func gateway(gw net.IP, via netlink.Destination) netip.Addr {
	if other, ok := via.(*netlink.Via); ok && other != nil {
		gw = other.Addr
	}
	addr, _ := netip.AddrFromSlice(gw)
	return addr.Unmap()
}

// destination is the prefix of a route; the default route has none on the wire.
func destination(r *netlink.Route) netip.Prefix {
	if r.Dst == nil {
		if r.Family == unix.AF_INET6 {
			return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	addr, _ := netip.AddrFromSlice(r.Dst.IP)
	if r.Family == unix.AF_INET {
		addr = addr.Unmap() // the library's IPv4 default route has 16 bytes
	}
	bits, _ := r.Dst.Mask.Size()
	return netip.PrefixFrom(addr, bits)
}

// readRoutes reads the main table as workers need it, and which gateways it uses.
// Of several routes to one prefix the kernel takes the one with the least metric.
func (m *mirror) readRoutes() (map[netip.Prefix]service.Route, map[service.Neighbour]bool, error) {
	routes, metrics := map[netip.Prefix]service.Route{}, map[netip.Prefix]int{}
	gateways := map[service.Neighbour]bool{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		list, err := listRoutes(family)
		if err != nil {
			return nil, nil, err
		}
		for i := range list {
			prefix := destination(&list[i])
			if old, ok := metrics[prefix]; ok && old <= list[i].Priority || !forwardable(&list[i], prefix) {
				continue
			}
			if route, ok := m.convert(&list[i], gateways); ok {
				routes[prefix], metrics[prefix] = route, list[i].Priority
			}
		}
	}
	return routes, gateways, nil
}

// forwardable leaves out what is no route for forwarding: link-local and
// multicast destinations exist once per interface, and a route for a type of
// service is not for all packets.
func forwardable(r *netlink.Route, prefix netip.Prefix) bool {
	addr := prefix.Addr()
	return r.Tos == 0 && r.Flags&unix.RTM_F_CLONED == 0 && !addr.IsMulticast() &&
		!(addr.Is6() && addr.IsLinkLocalUnicast())
}

// convert turns a route into the workers' form. What does not lead over a twin
// becomes a route to nowhere, so that a packet that the kernel would send out of
// another interface does not follow a wider route out of ours. ok is false when
// all paths are dead and the kernel passes the route over, too.
func (m *mirror) convert(r *netlink.Route, gateways map[service.Neighbour]bool) (route service.Route, ok bool) {
	if r.Type != unix.RTN_UNICAST {
		return service.Route{}, true
	}
	alive := slices.DeleteFunc(paths(r), dead)
	var via []weighted
	for _, p := range alive {
		port := m.ports[p.link]
		switch {
		case port == nil:
		case !p.via.IsValid():
			return service.Route{Link: port.link}, true
		default:
			key := service.Neighbour{Link: port.link, Addr: p.via}
			gateways[key] = true
			via = append(via, weighted{m.ids.allocate(key), p.weight})
		}
	}
	return service.Route{Via: repeat(via)}, len(alive) > 0
}

// liveRoutes are the routes with the gateways that answer alone, where any does:
// flows leave one that does not, without waiting for the route to change.
func (m *mirror) liveRoutes() map[netip.Prefix]service.Route {
	silent := map[service.NextHopID]bool{}
	for key := range m.gateways {
		if !m.neighbours[key].resolved {
			silent[m.ids.of(key)] = true
		}
	}
	if len(silent) == 0 {
		return m.routes // never changed in place: sync replaces it
	}
	live := maps.Clone(m.routes)
	for prefix, route := range m.routes {
		if via := answering(route.Via, silent); len(via) < len(route.Via) && len(via) > 0 {
			live[prefix] = service.Route{Via: via}
		}
	}
	return live
}

// answering leaves the silent ones out of a copy.
func answering(list []service.NextHopID, silent map[service.NextHopID]bool) []service.NextHopID {
	return slices.DeleteFunc(slices.Clone(list), func(id service.NextHopID) bool { return silent[id] })
}

// dead says whether the kernel would not use the path. Those over a twin without
// carrier count, by the sysctl that we set.
func dead(p path) bool { return p.flags&unix.RTNH_F_DEAD != 0 }

type weighted struct {
	id     service.NextHopID
	weight int
}

// repeat lists each id as often as its weight says: in lowest terms, and scaled
// down when that were more than maxPaths.
func repeat(via []weighted) []service.NextHopID {
	divisor, sum := 0, 0
	for _, v := range via {
		divisor = gcd(v.weight, divisor)
		sum += v.weight
	}
	var list []service.NextHopID
	for _, v := range via {
		n := v.weight / divisor
		if sum/divisor > maxPaths {
			n = max(1, v.weight*maxPaths/sum)
		}
		if v.id != 0 {
			list = append(list, slices.Repeat([]service.NextHopID{v.id}, n)...)
		}
	}
	return list
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
