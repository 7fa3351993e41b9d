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

	// Keep makes twins with their configured addresses and routes outlive the
	// daemon, and with them sessions that the kernel has over them; devices stay
	// silenced, as their addresses would answer in the twins' place. What is left
	// so is undone by Recover, or by the end of a daemon that does not keep.
	Keep bool

	TakeOver bool // addresses and routes found on silenced devices move to their twins

	Tunnels Tunnels // nil: what routers say about tunnels is not passed on
	Errors  int     // of that, packets a second at most
}

// Path is the whole kernel path of a daemon.
type Path struct {
	log    *slog.Logger
	keep   bool // what we set up
	twins  []*twin
	pump   *pump
	mirror *mirror
	state  *state
	news   *announcer
	relay  *relay // nil without Config.Tunnels

	mu    sync.Mutex // guards the addresses of the twins
	fixed map[*twin]map[netip.Prefix]bool

	closing sync.Once
	closed  error // of the one Close
}

// Open goes on from what an earlier run has left, as far as these ports need it,
// and undoes the rest; it silences the devices behind ports, and makes the twins
// with their addresses and routes. Packets do not flow and nothing is published
// before Start. pool and rings (one per worker) are those of the workers; publish
// is called from one goroutine, once within Start, and has to be quick. log may be
// nil. After an error nothing new is left, and nothing old unless cfg.Keep.
func Open(cfg Config, ports []PortSpec, pool packet.Pool, rings []*packet.KernelRings,
	hops *service.NextHops, publish func(*service.Net), log *slog.Logger) (*Path, error) {
	log = orDefault(log)
	if err := check(ports, rings); err != nil {
		return nil, err
	}
	state, err := loadState(cfg.StateFile, log)
	if err != nil {
		return nil, err
	}
	if err := state.adopt(ports); err != nil {
		return nil, err
	}
	p := &Path{log: log, keep: cfg.Keep, state: state, news: newAnnouncer(), fixed: map[*twin]map[netip.Prefix]bool{}}
	if p.mirror, err = newMirror(hops, publish, log); err != nil {
		return nil, err
	}
	if err = p.openPorts(cfg, ports); err == nil && cfg.Tunnels != nil {
		p.relay, err = openRelay(cfg.Tunnels, cfg.Errors, log)
	}
	if err != nil {
		return nil, errors.Join(err, p.mirror.close(), p.abandon())
	}
	p.pump = newPump(pool, rings, p.twins, log)
	return p, nil
}

func (p *Path) openPorts(cfg Config, ports []PortSpec) error {
	if err := p.state.setSysctl(redirects, "0"); err != nil {
		return err
	}
	for _, spec := range ports {
		t, err := openTwin(spec, p.news)
		if err != nil {
			return err
		}
		p.twins = append(p.twins, t)
		if err := p.persist(t); err != nil {
			return err
		}
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

// persist makes a twin stay or not; the file knows before it does.
func (p *Path) persist(t *twin) error {
	if p.keep {
		if err := p.state.keepTwin(t.name, t.index); err != nil {
			return err
		}
	}
	return t.persist(p.keep)
}

// abandon undoes what Open has done so far.
func (p *Path) abandon() error {
	var failed []error
	for _, t := range p.twins {
		t.keep = p.keep && p.state.hasFound(t.name)
		failed = append(failed, t.close())
	}
	undo := p.state.undo
	if p.keep {
		undo = p.state.undoNew
	}
	return errors.Join(append(failed, undo())...)
}

// silence silences the device behind a port, if any, and returns the port with
// what it takes over from there.
func (p *Path) silence(cfg Config, spec PortSpec) (PortSpec, error) {
	if spec.VLAN != 0 {
		return spec, nil // silencing is for whole devices, by their untagged network
	}
	for _, device := range spec.Devices {
		saved, err := p.state.silence(device)
		if err != nil {
			return spec, err
		}
		if found := saved.prefixes(); cfg.TakeOver {
			spec.Addresses = append(found, spec.Addresses...)
			spec.Routes = append(saved.plainRoutes(), spec.Routes...)
		} else if len(found) > 0 {
			p.log.Info("addresses are off the device until we end", "device", device, "addresses", found)
		}
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
	if p.relay != nil {
		p.relay.start()
	}
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

// OwnBackends are those addresses of backends that are the kernel's own, as on a
// twin: what is sent there is dropped for want of a neighbour.
func (p *Path) OwnBackends() []netip.Addr {
	if list := p.mirror.own.Load(); list != nil {
		return *list
	}
	return nil
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
	if p.relay != nil {
		c.TunnelErrors = p.relay.counters()
	}
	return c
}

// Close stops everything, gives the buffers in the rings back to the pool,
// removes the twins and restores the silenced devices; or, to keep them, removes
// the managed addresses alone. The workers have stopped before. Another Close does
// nothing and returns the same.
func (p *Path) Close() error {
	p.closing.Do(func() { p.closed = p.close() })
	return p.closed
}

func (p *Path) close() error {
	p.news.close()
	var err error
	if p.relay != nil {
		err = p.relay.close()
	}
	err = errors.Join(err, p.mirror.close(), p.pump.close())
	p.mu.Lock()
	defer p.mu.Unlock()
	err = errors.Join(err, p.closeTwins())
	if p.keep {
		p.log.Info("twins are kept, devices stay silenced", "state", p.state.path)
		return err
	}
	return errors.Join(err, p.state.undo())
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
