package kernel

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/service"
)

// Limits on what workers may make us ask the kernel: its neighbour table is
// small (1024 by default), and a flood of addresses must not turn it over.
const (
	askAgain  = time.Second // least time between two requests for one address
	askRate   = 256         // addresses per askAgain
	askMemory = 4096        // addresses remembered
)

// limiter remembers which addresses were asked for lately.
type limiter struct {
	asked map[netip.Addr]time.Time
	begin time.Time // of the current period
	count int       // in the current period
}

// allow says whether addr may be asked for now.
func (l *limiter) allow(addr netip.Addr, now time.Time) bool {
	if now.Sub(l.begin) >= askAgain {
		l.begin, l.count = now, 0
	}
	if last, ok := l.asked[addr]; ok && now.Sub(last) < askAgain || l.count >= askRate {
		return false
	}
	if l.asked == nil || len(l.asked) >= askMemory {
		l.asked = map[netip.Addr]time.Time{}
	}
	l.asked[addr] = now
	l.count++
	return true
}

// resolve queues a request; it never waits.
func (m *mirror) resolve(addr netip.Addr) {
	select {
	case m.asks <- addr:
	default:
		m.dropped.Add(1)
	}
}

// ask makes the kernel look for the hosts through which addr is reached, once.
func (m *mirror) ask(addr netip.Addr) {
	if !m.limit.allow(addr, time.Now()) {
		m.dropped.Add(1)
		return
	}
	hosts, _ := m.nextHosts(addr)
	for _, key := range hosts {
		if n := m.neighbours[key]; n.managed || n.fixed {
			continue // asking would end that
		}
		if err := m.neighSet(key, 0); err != nil {
			m.log.Debug("kernel does not resolve", "address", key.Addr, "error", err)
		}
	}
}

// nextHosts are the hosts behind twins to which the kernel would send packets
// for addr: the gateways of its route, or addr itself. own says that addr is one of
// the kernel's own addresses: there are none then.
func (m *mirror) nextHosts(addr netip.Addr) (hosts []service.Neighbour, own bool) {
	routes, err := netlink.RouteGetWithOptions(addr.AsSlice(), &netlink.RouteGetOptions{FIBMatch: true})
	if err != nil || len(routes) == 0 || routes[0].Type != unix.RTN_UNICAST {
		return nil, err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL
	}
	for _, p := range paths(&routes[0]) {
		port := m.ports[p.link]
		if port == nil {
			continue
		}
		via := p.via
		if !via.IsValid() {
			via = addr
		}
		hosts = append(hosts, service.Neighbour{Link: port.link, Addr: via})
	}
	return hosts, false
}

// setBackends says which addresses are to be reachable at any time.
func (m *mirror) setBackends(addrs []netip.Addr) {
	m.backends.Store(&addrs)
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// want finds out which neighbours have to be kept resolved, all gateways and the
// hosts towards backends, and asks the kernel for it.
func (m *mirror) want() {
	wanted := map[service.Neighbour]bool{}
	for key := range m.gateways {
		wanted[key] = true
	}
	own := map[netip.Addr]bool{}
	if backends := m.backends.Load(); backends != nil {
		for _, addr := range *backends {
			hosts, isOwn := m.nextHosts(addr)
			for _, key := range hosts {
				wanted[key] = true
			}
			if isOwn {
				own[addr] = true
			}
		}
	}
	m.warnOwn(own)
	m.wanted = wanted
	m.manage()
}

// warnOwn says which backends have an address of the gateway's own, once each: their
// packets go nowhere, but the address may be another host's tomorrow.
func (m *mirror) warnOwn(own map[netip.Addr]bool) {
	var known []netip.Addr
	if list := m.own.Load(); list != nil {
		known = *list
	}
	list := slices.SortedFunc(maps.Keys(own), netip.Addr.Compare)
	for _, addr := range list {
		if !slices.Contains(known, addr) {
			m.log.Warn("backend has an address of the gateway's own: packets for it are dropped: remove the backend or the address", "address", addr)
		}
	}
	m.own.Store(&list)
}

// manage makes the neighbours that the kernel keeps resolved on our behalf
// exactly the wanted ones, as far as it lets us, and has it try again for those
// that did not answer. Without carrier there is nobody to ask: an entry made then
// would be in the middle of failing when the link comes back.
func (m *mirror) manage() {
	for key := range m.wanted {
		n := m.neighbours[key]
		if !n.fixed && m.up[key.Link] && !(n.managed && n.resolved) {
			m.manageOne(key)
		}
	}
	for key := range m.managed {
		if !m.wanted[key] {
			delete(m.managed, key)
			m.unmanage(key)
		}
	}
}

func (m *mirror) manageOne(key service.Neighbour) {
	err := m.neighSet(key, m.managedFlag())
	if errors.Is(err, unix.EINVAL) && !m.noManaged {
		m.noManaged = true
		m.log.Warn("kernel does not keep neighbours resolved by itself (before 5.16): asking it every few seconds")
		err = m.neighSet(key, 0)
	}
	if err != nil {
		m.log.Debug("kernel does not resolve", "address", key.Addr, "error", err)
		return
	}
	m.managed[key] = !m.noManaged
}

func (m *mirror) unmanage(key service.Neighbour) {
	if n := m.neighbours[key]; !n.managed || n.fixed {
		return
	}
	if err := m.neighSet(key, 0); err != nil {
		m.log.Debug("neighbour stays managed", "address", key.Addr, "error", err)
	}
}

func (m *mirror) managedFlag() int {
	if m.noManaged {
		return 0
	}
	return netlink.NTF_EXT_MANAGED
}

// neighSet makes an entry if there is none and the kernel use it, which starts
// the resolution when it is due. A known link address stays. An entry that we
// have not heard of yet may be one set by hand, which this would destroy: it is
// left alone until we know.
func (m *mirror) neighSet(key service.Neighbour, extended int) error {
	entry := &netlink.Neigh{
		LinkIndex: m.links[key.Link],
		Family:    familyOf(key.Addr),
		IP:        key.Addr.AsSlice(),
		Flags:     netlink.NTF_USE,
		FlagsExt:  extended,
	}
	if _, known := m.neighbours[key]; known {
		return netlink.NeighSet(entry)
	}
	if err := netlink.NeighAdd(entry); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}
