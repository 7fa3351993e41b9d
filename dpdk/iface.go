package dpdk

import (
	"net"
	"strings"

	"golang.org/x/sys/unix"
)

// iface is the kernel interface under a net_af_packet or net_af_xdp port. Those
// drivers call the link up whatever the carrier is, and cannot be told to
// accept multicast; a packet socket can ask and do both. It belongs to the
// network namespace in which the port was attached, and what it changes ends
// with it, even when the process is killed.
type iface struct {
	name  string
	index int
	fd    int
}

// openIface is nil for a device without an interface.
func openIface(device string) (*iface, error) {
	driver, args, _ := strings.Cut(device, ",")
	if !strings.HasPrefix(driver, "net_af_packet") && !strings.HasPrefix(driver, "net_af_xdp") {
		return nil, nil
	}
	name := argument(args, "iface")
	if name == "" {
		return nil, failure("attach device", device, because("no interface"), "add iface=NAME")
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, failure("attach device", device, because("no interface %q in this network namespace", name),
			"create it or correct iface= (see ip link)")
	}
	// Protocol 0: this socket receives nothing.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, failure("attach device", device, err, "run as root or with CAP_NET_RAW and CAP_NET_ADMIN")
	}
	return &iface{name, link.Index, fd}, nil
}

// argument is the value of key in "key=value,key=value".
func argument(args, key string) string {
	for pair := range strings.SplitSeq(args, ",") {
		if k, v, _ := strings.Cut(pair, "="); k == key {
			return v
		}
	}
	return ""
}

// accept widens what the interface takes: unix.PACKET_MR_ALLMULTI or
// unix.PACKET_MR_PROMISC (packet(7)).
func (i *iface) accept(mode uint16) error {
	m := &unix.PacketMreq{Ifindex: int32(i.index), Type: mode}
	if err := unix.SetsockoptPacketMreq(i.fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, m); err != nil {
		return failure("accept more frames on interface", i.name, err, "is it there, and is it Ethernet?")
	}
	return nil
}

// up is the carrier (netdevice(7), IFF_RUNNING).
func (i *iface) up() bool {
	req, err := unix.NewIfreq(i.name)
	if err != nil || unix.IoctlIfreq(i.fd, unix.SIOCGIFFLAGS, req) != nil {
		return false
	}
	return req.Uint16()&unix.IFF_RUNNING != 0
}

func (i *iface) close() error {
	if i == nil {
		return nil
	}
	return unix.Close(i.fd)
}
