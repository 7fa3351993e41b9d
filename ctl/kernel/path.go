package kernel

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// Config is what concerns all ports.
type Config struct {
	StateFile string // what has to be undone; in the run directory, one per daemon
	Keep      bool   // twins, their addresses and routes stay when the daemon ends, but for ports with a Device, which gets its own back
	TakeOver  bool   // addresses and routes found on silenced devices move to their twins
}

// PortSpec is one network of a port and its twin: the untagged one, or a VLAN.
// Several have the same Index; exactly one of them is untagged.
type PortSpec struct {
	Name      string // as configured
	Index     int    // as in packet.Buf.Port
	VLAN      uint16 // 802.1Q id; 0: untagged frames, and those tagged with a priority alone
	MAC       packet.MAC
	MTU       uint16         // bytes of IP packet
	TwinName  string         // interface name; empty: "sl-" and Name, and for a VLAN a dot and its id
	Device    string         // interface behind a net_af_packet port, to be silenced; empty: none; of VLANs: ignored
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

// Path is the whole kernel path of a daemon.
type Path struct {
	log    *slog.Logger
	twins  []*twin
	pump   *pump
	mirror *mirror
	state  *state
	news   *announcer

	mu    sync.Mutex // guards the addresses of the twins
	fixed map[*twin]map[netip.Prefix]bool

	closing sync.Once
	closed  error // of the one Close
}

// Open undoes what a killed run has left, silences the devices behind ports,
// and makes the twins with their addresses and routes; packets do not flow and
// nothing is published before Start. pool and rings (one per worker) are those
// of the workers; publish is called from one goroutine, once within Start, and
// has to be quick. log may be nil. After an error everything is as before.
func Open(cfg Config, ports []PortSpec, pool packet.Pool, rings []*packet.KernelRings,
	hops *service.NextHops, publish func(*service.Net), log *slog.Logger) (*Path, error) {
	log = orDefault(log)
	if err := check(ports, rings); err != nil {
		return nil, err
	}
	if err := Recover(cfg.StateFile, log); err != nil {
		return nil, err
	}
	p := &Path{log: log, state: &state{path: cfg.StateFile, log: log}, news: newAnnouncer(), fixed: map[*twin]map[netip.Prefix]bool{}}
	var err error
	if p.mirror, err = newMirror(hops, publish, log); err != nil {
		return nil, err
	}
	if err = p.openPorts(cfg, ports); err != nil {
		return nil, errors.Join(err, p.mirror.close(), p.closeTwins(), p.state.undo())
	}
	p.pump = newPump(pool, rings, p.twins, log)
	return p, nil
}

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

func (p *Path) openPorts(cfg Config, ports []PortSpec) error {
	if err := p.state.setSysctl(redirects, "0"); err != nil {
		return err
	}
	for _, spec := range ports {
		t, err := openTwin(spec, cfg.Keep && spec.Device == "", p.news)
		if err != nil {
			return err
		}
		p.twins = append(p.twins, t)
		p.mirror.addPort(t.index, &mirrorPort{network: t.network, mac: spec.MAC, mtu: spec.MTU})
		if spec, err = p.silence(cfg, spec); err != nil {
			return err
		}
		if err := p.equip(t, spec); err != nil {
			return err
		}
	}
	return nil
}

// maxVLAN is the greatest id; 4095 is reserved (IEEE 802.1Q table 9-2).
const maxVLAN = 4094

// silence silences the device behind a port, if any, and returns the port with
// what it takes over from there.
func (p *Path) silence(cfg Config, spec PortSpec) (PortSpec, error) {
	if spec.Device == "" || spec.VLAN != 0 {
		return spec, nil // silencing is for the whole device, by its untagged network
	}
	saved, err := p.state.silence(spec.Device)
	if err != nil {
		return spec, err
	}
	if found := saved.prefixes(); cfg.TakeOver {
		spec.Addresses = append(found, spec.Addresses...)
		spec.Routes = append(saved.plainRoutes(), spec.Routes...)
	} else if len(found) > 0 {
		p.log.Info("addresses are off the device until we end", "device", spec.Device, "addresses", found)
	}
	return spec, nil
}

// equip gives a twin its configured addresses and routes.
func (p *Path) equip(t *twin, spec PortSpec) error {
	fixed := map[netip.Prefix]bool{}
	for _, a := range spec.Addresses {
		fixed[a] = true
		if err := t.addAddress(a); err != nil {
			return err
		}
	}
	p.fixed[t] = fixed
	return t.setRoutes(spec.Routes)
}

// Start publishes the first view of the network, lets packets flow, and tells
// the hosts around us which addresses we have: another gateway may have had them.
func (p *Path) Start() error {
	if err := p.mirror.start(); err != nil {
		return fmt.Errorf("mirror the kernel's tables: %w", err)
	}
	p.pump.start()
	p.news.start(p.pump.originate)
	return p.announce(p.twins)
}

func (p *Path) announce(twins []*twin) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var failed []error
	for _, t := range twins {
		failed = append(failed, t.announceAll())
	}
	return errors.Join(failed...)
}

// Resolve makes the kernel look for the host through which addr is reached, for
// packets that a worker could not send. It returns at once; requests are
// limited and those for the same address merged.
func (p *Path) Resolve(addr netip.Addr) { p.mirror.resolve(addr) }

// SetBackends says which addresses have to be reachable at any time: the kernel
// keeps the hosts towards them resolved, also when routes change. It replaces
// the previous list, which the caller must not change any more. (The gateways of
// all routes are kept resolved anyway.)
func (p *Path) SetBackends(addrs []netip.Addr) { p.mirror.setBackends(addrs) }

// SetAddresses makes addrs exactly the addresses that we manage beside the
// configured ones: virtual and local addresses of services, as /32 or /128 on
// the twin that has a subnet with the address, else on the first. Addresses that
// somebody else has put on a twin stay.
func (p *Path) SetAddresses(addrs []netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.twins) == 0 {
		return errors.New("set addresses: no port: configure one")
	}
	wanted, present, err := p.present()
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		if t := home(p.twins, present, addr); t != nil {
			wanted[t][netip.PrefixFrom(addr, addr.BitLen())] = true
		}
	}
	var failed []error
	for _, t := range p.twins {
		failed = append(failed, t.reconcile(wanted[t]))
	}
	return errors.Join(failed...)
}

// present lists what is on the twins, and starts the wanted set of each with
// what is configured.
func (p *Path) present() (map[*twin]map[netip.Prefix]bool, map[*twin][]address, error) {
	wanted, present := map[*twin]map[netip.Prefix]bool{}, map[*twin][]address{}
	for _, t := range p.twins {
		list, err := addressesOf(t.index)
		if err != nil {
			return nil, nil, err
		}
		present[t], wanted[t] = list, map[netip.Prefix]bool{}
		for prefix := range p.fixed[t] {
			wanted[t][prefix] = true
		}
	}
	return wanted, present, nil
}

// home finds the twin for a managed address; nil when it is configured on one
// with the prefix of its subnet.
func home(twins []*twin, present map[*twin][]address, addr netip.Addr) *twin {
	best, bits := twins[0], -1
	for _, t := range twins {
		for _, a := range present[t] {
			if a.prefix.IsSingleIP() || !a.prefix.Contains(addr) {
				continue
			}
			if a.prefix.Addr() == addr {
				return nil
			}
			if a.prefix.Bits() > bits {
				best, bits = t, a.prefix.Bits()
			}
		}
	}
	return best
}

// LinkChanged gives the twins of a port the carrier of the port, and with one
// announces their addresses.
func (p *Path) LinkChanged(port int, up bool) error {
	var failed []error
	twins := slices.DeleteFunc(slices.Clone(p.twins), func(t *twin) bool { return int(t.port) != port })
	if len(twins) == 0 {
		return fmt.Errorf("set carrier: port %d: it has no twin", port)
	}
	for _, t := range twins {
		failed = append(failed, t.setCarrier(up))
	}
	if up {
		failed = append(failed, p.announce(twins))
	}
	return errors.Join(failed...)
}

// Counters reads the counters; it never waits.
func (p *Path) Counters() Counters {
	c := Counters{NoTwin: p.pump.noTwin.Load(), ResolveDropped: p.mirror.dropped.Load()}
	for _, t := range p.twins {
		c.Twins = append(c.Twins, t.counters())
	}
	return c
}

// Close stops everything, gives the buffers in the rings back to the pool,
// removes the twins (or only the managed addresses from those that are kept)
// and restores the silenced devices. The workers have stopped before. Another
// Close does nothing and returns the same.
func (p *Path) Close() error {
	p.closing.Do(func() { p.closed = p.close() })
	return p.closed
}

func (p *Path) close() error {
	p.news.close()
	err := errors.Join(p.mirror.close(), p.pump.close())
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(err, p.closeTwins(), p.state.undo())
}

func (p *Path) closeTwins() error {
	var failed []error
	for _, t := range p.twins {
		if t.keep {
			failed = append(failed, t.reconcile(p.fixed[t]))
		}
		failed = append(failed, t.close())
	}
	return errors.Join(failed...)
}
