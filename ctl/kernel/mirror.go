package kernel

import (
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// mirrorPort is what the mirror has to know of a twin and its port.
type mirrorPort struct {
	network
	link uint16 // what service.Neighbour and service.Route call it: 1 for the first twin
	mac  packet.MAC
	mtu  uint16
}

// mirror keeps the workers' view of the network equal to the kernel's:
//
//  1. a notification about a neighbour changes its slot at once
//  2. one about links, addresses or routes, or a lost one, makes us read
//     everything again, as at start: the kernel does not report each route that
//     it drops with a link or an address
//  3. if the answers of service.Net may differ, a new one is published
//
// Steps 2 and 3 are batched: at once after a quiet time, else at most every
// batchTime and a quarter of the time.
type mirror struct {
	ports   map[int]*mirrorPort    // by interface
	byLink  map[uint16]*mirrorPort // by link
	links   map[uint16]int         // interface by link
	up      map[uint16]bool        // carrier by link; belongs to the goroutine
	hops    *service.NextHops
	publish func(*service.Net)
	log     *slog.Logger

	notify   *notifier
	asks     chan netip.Addr // from Resolve
	kick     chan struct{}   // backends have changed
	backends atomic.Pointer[[]netip.Addr]
	own      atomic.Pointer[[]netip.Addr] // backends' addresses that are the kernel's own
	dropped  atomic.Uint64                // requests of Resolve
	stop     chan struct{}
	done     sync.WaitGroup

	// The rest belongs to the goroutine (and to start, before there is one).
	routes     map[netip.Prefix]service.Route
	gateways   map[service.Neighbour]bool
	wanted     map[service.Neighbour]bool // to be kept resolved
	managed    map[service.Neighbour]bool // that we asked the kernel to manage
	neighbours map[service.Neighbour]neighbour
	ids        *hopIDs
	epoch      uint32
	stale      bool // read everything again
	changed    bool // publish a new view
	noManaged  bool // the kernel does not know NTF_EXT_MANAGED
	limit      limiter
}

// batchTime is the least time between two readings or publications;
// maintainTime is how often the kernel is asked again for wanted neighbours that
// it does not manage: a link was down, the entry was new, the kernel is old.
const (
	batchTime    = 20 * time.Millisecond
	maintainTime = 2 * time.Second
)

// newMirror starts to listen. The first view gets epoch 2, as a new Store has 1.
func newMirror(hops *service.NextHops, publish func(*service.Net), log *slog.Logger) (*mirror, error) {
	notify, err := newNotifier()
	if err != nil {
		return nil, err
	}
	return &mirror{
		ports: map[int]*mirrorPort{}, byLink: map[uint16]*mirrorPort{}, links: map[uint16]int{}, up: map[uint16]bool{},
		hops: hops, publish: publish, log: log, notify: notify,
		asks: make(chan netip.Addr, 256), kick: make(chan struct{}, 1), stop: make(chan struct{}),
		neighbours: map[service.Neighbour]neighbour{}, ids: newHopIDs(log),
		managed: map[service.Neighbour]bool{},
		epoch:   1,
	}, nil
}

// addPort makes the mirror look at an interface. Only before start.
func (m *mirror) addPort(interfaceIndex int, p *mirrorPort) {
	p.link = uint16(len(m.ports) + 1)
	m.ports[interfaceIndex] = p
	m.byLink[p.link] = p
	m.links[p.link] = interfaceIndex
}

// start reads the tables, publishes the first view and follows from then on.
func (m *mirror) start() error {
	if err := m.sync(); err != nil {
		return err
	}
	m.changed = true
	m.publishChange()
	m.notify.start()
	m.done.Go(m.run)
	return nil
}

func (m *mirror) close() error {
	close(m.stop)
	m.done.Wait()
	return m.notify.close()
}

func (m *mirror) run() {
	batch := time.NewTimer(time.Hour)
	batch.Stop()
	maintain := time.NewTicker(maintainTime)
	defer maintain.Stop()
	var next time.Time // not before
	armed := false
	for {
		select {
		case <-m.stop:
			return
		case e := <-m.notify.events:
			m.apply(e)
		case addr := <-m.asks:
			m.ask(addr)
		case <-m.kick:
			m.stale = true
		case <-maintain.C:
			m.manage()
		case <-batch.C:
			armed = false
			next = m.flush()
		}
		if (m.stale || m.changed) && !armed {
			armed = true
			batch.Reset(time.Until(next))
		}
	}
}

// apply takes in one notification.
func (m *mirror) apply(e event) {
	if e.neighbour == nil {
		m.stale = true
		return
	}
	key, ok := m.neighbourKey(e.neighbour)
	switch {
	case !ok:
	case e.gone:
		m.forget(key)
		m.stale = m.stale || m.wanted[key] // to be managed again
	default:
		m.learn(key, parseNeighbour(e.neighbour))
	}
}

// flush does what is due and says when the next time may be.
func (m *mirror) flush() time.Time {
	begin := time.Now()
	if m.stale {
		if err := m.sync(); err != nil {
			m.log.Error("mirror of the kernel's tables is out of date: trying again", "error", err)
			return begin.Add(maintainTime)
		}
	}
	m.publishChange()
	end := time.Now()
	return end.Add(max(batchTime, 3*end.Sub(begin)))
}

// sync reads everything: at start, and whenever notifications do not suffice.
// What is in the queue meanwhile is older and followed by what made it newer.
func (m *mirror) sync() error {
	neighbours, err := m.readNeighbours()
	if err != nil {
		return err
	}
	routes, gateways, err := m.readRoutes()
	if err != nil {
		return err
	}
	m.changed = m.changed || !maps.EqualFunc(routes, m.routes, sameRoute)
	m.routes, m.gateways, m.stale = routes, gateways, false
	m.readCarriers()

	for key := range m.neighbours {
		if _, ok := neighbours[key]; !ok {
			m.forget(key)
		}
	}
	for key, n := range neighbours {
		m.learn(key, n)
	}
	for key := range gateways {
		m.setHop(key) // a new one that the kernel does not know yet
	}
	m.want()
	return nil
}

// readCarriers finds out over which twins somebody may answer. Not by the flag
// LOWER_UP: that changes up to a second before the kernel sends again.
func (m *mirror) readCarriers() {
	for number, index := range m.links {
		link, err := netlink.LinkByIndex(index)
		m.up[number] = err == nil && usableLink(link.Attrs())
	}
}

// usableLink allows for a tap's state being unknown until its carrier changes.
func usableLink(a *netlink.LinkAttrs) bool {
	return a.RawFlags&unix.IFF_UP != 0 && (a.OperState == netlink.OperUp || a.OperState == netlink.OperUnknown)
}

func sameRoute(a, b service.Route) bool { return a.Link == b.Link && slices.Equal(a.Via, b.Via) }

// publishChange makes a new view if anything has changed.
func (m *mirror) publishChange() {
	if !m.changed {
		return
	}
	m.changed = false
	if m.epoch++; m.epoch == 0 {
		m.epoch = 1
	}
	hosts := map[service.Neighbour]service.NextHopID{}
	for key := range m.neighbours {
		if id := m.ids.of(key); id != 0 {
			hosts[key] = id
		}
	}
	net := service.NewNet(m.epoch, m.hops, m.liveRoutes(), hosts)
	m.ids.publish(net, func(key service.Neighbour) bool { return hosts[key] != 0 || m.gateways[key] })
	m.publish(net)
}
