package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// network names what a twin stands for: the untagged frames of a port, or those
// of a VLAN there.
type network struct {
	port uint16 // index of the port
	vlan uint16 // 802.1Q id; 0: untagged
}

// twin is the tap that stands for a network in the kernel.
type twin struct {
	network
	name  string
	mac   packet.MAC
	index int // of the interface
	keep  bool
	file  *os.File
	added map[netip.Prefix]bool // addresses that we put there; guarded by Path.mu
	news  *announcer
	count counters
}

// openTwin makes the tap of a network, or adopts the persistent one of that name,
// and brings it up without addresses. Attaching turns its carrier on, which the
// routes to come need: the kernel refuses gateways behind a link that is down.
func openTwin(spec PortSpec, news *announcer) (*twin, error) {
	name := spec.twinName()
	if err := checkName(name); err != nil {
		return nil, err
	}
	file, err := openTap(name)
	if err != nil {
		return nil, err
	}
	t := &twin{name: name, network: spec.network(), mac: spec.MAC, file: file, added: map[netip.Prefix]bool{}, news: news}
	if err := t.configure(spec); err != nil {
		return nil, errors.Join(fmt.Errorf("configure twin: %s: %w", name, err), file.Close())
	}
	return t, nil
}

// checkName refuses what the kernel would refuse, or worse, expand.
func checkName(name string) error {
	if name == "" || len(name) >= unix.IFNAMSIZ || name == "." || name == ".." || strings.ContainsAny(name, "/%: \t\n") {
		return fmt.Errorf("name of twin: %q: not an interface name of 1 to %d characters: set another one", name, unix.IFNAMSIZ-1)
	}
	return nil
}

// openTap attaches to the tap name, made if need be. There is no header in
// front of frames and no offload, so every checksum is complete.
func openTap(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w: the kernel's tun driver and root are needed", err)
	}
	if err := attachTap(fd, name); err != nil {
		unix.Close(fd)
		return nil, err
	}
	// Only now: an unattached tun is in error, and the poller would remember.
	return os.NewFile(uintptr(fd), "/dev/net/tun:"+name), nil
}

func attachTap(fd int, name string) error {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("make twin: %s: %w", name, err)
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return fmt.Errorf("make twin: %s: %w: %s", name, err, tapHint(err))
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, 0); err != nil {
		return fmt.Errorf("turn off offloads of twin: %s: %w", name, err)
	}
	return nil
}

func tapHint(err error) string {
	switch {
	case errors.Is(err, unix.EBUSY):
		return "another process holds it: is another sluiced running?"
	case errors.Is(err, unix.EINVAL):
		return "an interface of this name exists and is no tap: remove it or set another name"
	}
	return "CAP_NET_ADMIN is needed"
}

func (t *twin) configure(spec PortSpec) error {
	link, err := netlink.LinkByName(t.name)
	if err != nil {
		return err
	}
	t.index = link.Attrs().Index
	steps := []func() error{
		func() error { return setHardwareAddr(link, spec.MAC) },
		func() error { return netlink.LinkSetMTU(link, int(spec.MTU)) },
		func() error { return setTwinSysctls(t.name) },
		func() error { return netlink.LinkSetUp(link) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// setHardwareAddr leaves one alone that is right: a change empties the kernel's
// table of neighbours.
func setHardwareAddr(link netlink.Link, mac packet.MAC) error {
	if bytes.Equal(link.Attrs().HardwareAddr, mac[:]) {
		return nil
	}
	return netlink.LinkSetHardwareAddr(link, net.HardwareAddr(mac[:]))
}

// persist decides whether the tap outlives its descriptor.
func (t *twin) persist(keep bool) error {
	if err := t.ioctlInt(unix.TUNSETPERSIST, btoi(keep)); err != nil {
		return fmt.Errorf("keep twin: %s: %w", t.name, err)
	}
	t.keep = keep
	return nil
}

// setCarrier makes the kernel see the port's link.
func (t *twin) setCarrier(up bool) error {
	var failed error
	err := t.control(func(fd int) { failed = unix.IoctlSetPointerInt(fd, unix.TUNSETCARRIER, btoi(up)) })
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("set carrier of twin: %s: %w", t.name, err)
	}
	return nil
}

func (t *twin) ioctlInt(request uint, value int) error {
	var failed error
	err := t.control(func(fd int) { failed = unix.IoctlSetInt(fd, request, value) })
	return errors.Join(err, failed)
}

// control runs f on the descriptor without taking it out of the poller, as
// os.File.Fd would.
func (t *twin) control(f func(fd int)) error {
	raw, err := t.file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// close detaches from the tap, which vanishes unless it is to be kept.
func (t *twin) close() error {
	var err error
	if !t.keep {
		err = t.persist(false)
	}
	return errors.Join(err, t.file.Close())
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
