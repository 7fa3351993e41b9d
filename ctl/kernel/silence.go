package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// savedDevice is a silenced interface as it was. Addresses and routes are the
// kernel's own messages, so that no attribute is lost.
type savedDevice struct {
	Name        string   `json:"name"`
	Index       int      `json:"index"`                  // tells it from another of the same name
	DisableIPv6 string   `json:"disable_ipv6,omitempty"` // empty: kernel without IPv6
	Addresses   [][]byte `json:"addresses,omitempty"`    // RTM_NEWADDR
	Routes      [][]byte `json:"routes,omitempty"`       // RTM_NEWROUTE

	found bool // an earlier run has silenced it
}

// silence makes the kernel behind the device deaf and nameless there, while
// packet sockets (net_af_packet) still see every frame:
//
//  1. remember addresses, routes and the IPv6 switch, in the state file
//  2. drop every frame at ingress
//  3. turn IPv6 off and take the addresses away; their routes go with them
//
// Otherwise the kernel would answer beside its twin: a second ping reply, a RST
// into a connection that we forward. A device that an earlier run has silenced
// stays so throughout; what somebody has put there since is added to what it gets
// back.
func (s *state) silence(device string) (savedDevice, error) {
	saved, err := inspect(device)
	if err != nil {
		return saved, fmt.Errorf("silence device: %s: %w", device, err)
	}
	if i := slices.IndexFunc(s.Devices, func(d savedDevice) bool { return d.Name == device }); i >= 0 {
		saved = s.Devices[i].merged(saved)
		s.Devices[i] = saved
	} else {
		s.Devices = append(s.Devices, saved)
	}
	if err := s.save(); err != nil {
		return saved, err
	}
	if err := dropIngress(device); err != nil {
		return saved, err
	}
	if err := saved.strip(); err != nil {
		return saved, fmt.Errorf("silence device: %s: %w", device, err)
	}
	return saved, nil
}

func inspect(device string) (savedDevice, error) {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return savedDevice{}, err
	}
	saved := savedDevice{Name: device, Index: link.Attrs().Index}
	saved.DisableIPv6, err = readSysctl(disableIPv6File(device))
	if err != nil && !noSuchFile(err) {
		return saved, err
	}
	if saved.Addresses, err = addressMessages(saved.Index); err != nil {
		return saved, err
	}
	saved.Routes, err = routeMessages(saved.Index)
	return saved, err
}

// isThere tells the silenced device from another that has got its name.
func (d *savedDevice) isThere() bool {
	link, err := netlink.LinkByName(d.Name)
	return err == nil && link.Attrs().Index == d.Index
}

// merged is the device with what it has now beside what it had.
func (d savedDevice) merged(now savedDevice) savedDevice {
	had := d.prefixes()
	for _, m := range now.Addresses {
		if a, ok := parseAddress(m); ok && !slices.Contains(had, a.prefix) {
			d.Addresses = append(d.Addresses, m)
		}
	}
	for _, m := range now.Routes {
		if !slices.ContainsFunc(d.Routes, func(old []byte) bool { return bytes.Equal(old, m) }) {
			d.Routes = append(d.Routes, m)
		}
	}
	return d
}

func (d *savedDevice) strip() error {
	if d.DisableIPv6 != "" {
		if err := writeSysctl(disableIPv6File(d.Name), "1"); err != nil {
			return err
		}
	}
	for _, m := range d.Addresses {
		err := rawSend(unix.RTM_DELADDR, 0, m)
		// IPv6 ones went with the switch, secondaries with their primary.
		if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("remove address: %s: %w", describeAddress(m), err)
		}
	}
	return nil
}

// restore is the reverse of silence. It may run on a device that was silenced
// by half or not at all, and again after it has failed.
func (d *savedDevice) restore(log *slog.Logger) error {
	link, err := netlink.LinkByName(d.Name)
	if _, gone := errors.AsType[netlink.LinkNotFoundError](err); gone || err == nil && link.Attrs().Index != d.Index {
		log.Warn("silenced device is gone, not restored", "device", d.Name)
		return allowIngress(d.Name)
	}
	if err != nil {
		return fmt.Errorf("restore device: %s: %w", d.Name, err)
	}
	if d.DisableIPv6 != "" {
		err = writeSysctl(disableIPv6File(d.Name), d.DisableIPv6)
	}
	err = errors.Join(err, d.restoreAddresses())
	d.restoreRoutes(log)
	// Last, so that nothing is answered while only half is back.
	return errors.Join(err, allowIngress(d.Name))
}

func (d *savedDevice) restoreAddresses() error {
	var failed []error
	for _, m := range d.Addresses {
		err := rawSend(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
		if err != nil && !errors.Is(err, unix.EEXIST) {
			failed = append(failed, fmt.Errorf("restore address: %s on %s: %w", describeAddress(m), d.Name, err))
		}
	}
	return errors.Join(failed...)
}

// restoreRoutes offers the routes to the kernel until a round adds none: a
// gateway is accepted only when the route towards it is there.
func (d *savedDevice) restoreRoutes(log *slog.Logger) {
	left, refused := d.Routes, error(nil)
	for again := true; again; {
		var still [][]byte
		for _, m := range left {
			err := rawSend(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m)
			if err != nil && !errors.Is(err, unix.EEXIST) {
				still, refused = append(still, m), err
			}
		}
		again = len(still) > 0 && len(still) < len(left)
		left = still
	}
	for _, m := range left {
		log.Warn("route not restored: add it by hand", "device", d.Name, "route", describeRoute(m), "error", refused)
	}
}

// prefixes are the addresses that the device had, without IPv6 link-local ones.
func (d *savedDevice) prefixes() []netip.Prefix {
	var list []netip.Prefix
	for _, m := range d.Addresses {
		if a, ok := parseAddress(m); ok && !a.prefix.Addr().IsLinkLocalUnicast() {
			list = append(list, a.prefix)
		}
	}
	return list
}

func describeAddress(m []byte) string {
	a, _ := parseAddress(m)
	return a.prefix.String()
}
