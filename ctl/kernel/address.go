package kernel

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// address is one on an interface.
type address struct {
	prefix netip.Prefix // with the host part
	own    bool         // put there by this or an earlier run of ours
}

// addressMessages are the RTM_NEWADDR messages of an interface, both families,
// in the kernel's order: primary addresses before their secondaries.
func addressMessages(index int) ([][]byte, error) {
	var ours [][]byte
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		all, err := rawDump(unix.RTM_GETADDR, unix.RTM_NEWADDR, family)
		if err != nil {
			return nil, fmt.Errorf("list addresses: %w", err)
		}
		for _, m := range all {
			if len(m) >= unix.SizeofIfAddrmsg && int(u32(m[4:])) == index {
				ours = append(ours, m)
			}
		}
	}
	return ours, nil
}

// parseAddress reads an RTM_NEWADDR message.
func parseAddress(m []byte) (address, bool) {
	attrs := attributes(m, unix.SizeofIfAddrmsg)
	value := find(attrs, unix.IFA_LOCAL)
	if value == nil {
		value = find(attrs, unix.IFA_ADDRESS)
	}
	addr, ok := netip.AddrFromSlice(value)
	if !ok {
		return address{}, false
	}
	proto := find(attrs, ifaProto)
	return address{netip.PrefixFrom(addr, int(m[1])), len(proto) == 1 && proto[0] == ownProto}, true
}

func addressesOf(index int) ([]address, error) {
	messages, err := addressMessages(index)
	if err != nil {
		return nil, err
	}
	var list []address
	for _, m := range messages {
		if a, ok := parseAddress(m); ok {
			list = append(list, a)
		}
	}
	return list, nil
}

// addressMessage is the message for one address of ours. A host address is
// virtual: it brings no route, and IPv6 never chooses it as a source of the
// gateway's own packets.
func addressMessage(index int, p netip.Prefix) []byte {
	flags := uint32(unix.IFA_F_NODAD)
	preferred := uint32(math.MaxUint32) // seconds: for ever
	if p.IsSingleIP() && p.Addr().Is6() {
		flags |= unix.IFA_F_NOPREFIXROUTE
		preferred = 0
	}
	m := []byte{byte(familyOf(p.Addr())), byte(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE}
	m = append(m, u32Bytes(uint32(index))...)
	m = appendAttribute(m, unix.IFA_LOCAL, p.Addr().AsSlice())
	m = appendAttribute(m, unix.IFA_ADDRESS, p.Addr().AsSlice())
	m = appendAttribute(m, unix.IFA_FLAGS, u32Bytes(flags))
	m = appendAttribute(m, ifaProto, []byte{ownProto})
	lifetimes := append(u32Bytes(preferred), u32Bytes(math.MaxUint32)...)
	return appendAttribute(m, unix.IFA_CACHEINFO, append(lifetimes, make([]byte, 8)...))
}

func (t *twin) addAddress(p netip.Prefix) error {
	err := rawSend(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, addressMessage(t.index, p))
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("add address: %s to %s: %w%s", p, t.name, err, t.withoutIPv6(p))
	}
	t.added[p] = true
	t.news.announce(t, p.Addr())
	return nil
}

// withoutIPv6 says so, and what to do, where the kernel says "permission denied".
func (t *twin) withoutIPv6(p netip.Prefix) string {
	off, err := readSysctl(disableIPv6File(t.name))
	if p.Addr().Is4() || err != nil || off == "0" {
		return ""
	}
	return ": IPv6 is switched off: set net.ipv6.conf.default.disable_ipv6=0 before the start, or now net.ipv6.conf." + t.name + ".disable_ipv6=0"
}

func (t *twin) removeAddress(p netip.Prefix) error {
	t.news.forget(t, p.Addr())
	err := rawSend(unix.RTM_DELADDR, 0, addressMessage(t.index, p))
	if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("remove address: %s from %s: %w", p, t.name, err)
	}
	delete(t.added, p)
	return nil
}

// announceAll announces all our addresses on the twin.
func (t *twin) announceAll() error {
	list, err := addressesOf(t.index)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.own || t.added[a.prefix] {
			t.news.announce(t, a.prefix.Addr())
		}
	}
	return nil
}

// reconcile makes our addresses on the twin exactly wanted. Those that somebody
// else put there stay.
func (t *twin) reconcile(wanted map[netip.Prefix]bool) error {
	list, err := addressesOf(t.index)
	if err != nil {
		return err
	}
	var failed []error
	present := map[netip.Prefix]bool{}
	for _, a := range list {
		present[a.prefix] = true
		if (a.own || t.added[a.prefix]) && !wanted[a.prefix] {
			failed = append(failed, t.removeAddress(a.prefix))
		}
	}
	for p := range wanted {
		if !present[p] {
			failed = append(failed, t.addAddress(p))
		}
	}
	return errors.Join(failed...)
}

// setRoutes puts the configured routes on the twin and takes away ours of an
// earlier run. Nothing is ever replaced: the route in the way may be the one
// that the operator is logged in through.
func (t *twin) setRoutes(specs []RouteSpec) error {
	old, err := ownRoutes(t.index)
	if err != nil {
		return err
	}
	for _, spec := range distinct(specs) {
		if old[spec] {
			delete(old, spec)
			continue
		}
		if err := netlink.RouteAdd(t.route(spec)); err != nil {
			return fmt.Errorf("add route: %s via %s on %s: %w: is there another one, or no address in the gateway's subnet?", spec.To, spec.Via, t.name, err)
		}
	}
	for spec := range old {
		if err := netlink.RouteDel(t.route(spec)); err != nil {
			return fmt.Errorf("remove old route: %s via %s on %s: %w", spec.To, spec.Via, t.name, err)
		}
	}
	return nil
}

// distinct drops repeated routes, and the host part of destinations.
func distinct(specs []RouteSpec) []RouteSpec {
	var list []RouteSpec
	for _, spec := range specs {
		spec.To = spec.To.Masked()
		if !slices.Contains(list, spec) {
			list = append(list, spec)
		}
	}
	return list
}

func (t *twin) route(spec RouteSpec) *netlink.Route {
	bits := spec.To.Addr().BitLen()
	r := &netlink.Route{
		LinkIndex: t.index,
		Protocol:  ownProto,
		Dst:       &net.IPNet{IP: spec.To.Addr().AsSlice(), Mask: net.CIDRMask(spec.To.Bits(), bits)},
	}
	if spec.Via.IsValid() {
		r.Gw = spec.Via.AsSlice()
	} else {
		r.Scope = netlink.SCOPE_LINK
	}
	return r
}

// ownRoutes are the routes that we put on the interface.
func ownRoutes(index int) (map[RouteSpec]bool, error) {
	return routesOf(index, func(r *netlink.Route) bool { return r.Protocol == ownProto })
}

// routesOf are the single-path routes of the main table over the interface that
// keep says yes to.
func routesOf(index int, keep func(*netlink.Route) bool) (map[RouteSpec]bool, error) {
	specs := map[RouteSpec]bool{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := listRoutes(family)
		if err != nil {
			return nil, err
		}
		for i := range routes {
			if routes[i].LinkIndex == index && keep(&routes[i]) {
				via, _ := netip.AddrFromSlice(routes[i].Gw)
				specs[RouteSpec{destination(&routes[i]), via.Unmap()}] = true
			}
		}
	}
	return specs, nil
}
