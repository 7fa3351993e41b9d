package dpdk

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// iface is the kernel interface under a net_af_packet or net_af_xdp device.
// Those drivers call the link up whatever the carrier is, cannot be told to
// accept multicast, and take no (af_packet) or no large (af_xdp) MTU; a packet
// socket can ask and do all of it. It belongs to the network namespace in which
// the device was attached. Filters end with the socket, even when the process
// is killed; the MTU is put back by close.
type iface struct {
	name  string
	index int
	fd    int
	mtu   uint32 // before us
}

// openIface is nil for a device without an interface.
func openIface(d device) (*iface, error) {
	if !d.onInterface() {
		return nil, nil
	}
	name := d.value("iface")
	if name == "" {
		return nil, failure("attach device", d.text, because("no interface"), "add iface=NAME")
	}
	link, err := net.InterfaceByName(name)
	if err != nil {
		return nil, failure("attach device", d.text, because("no interface %q in this network namespace", name),
			"create it or correct iface= (see ip link)")
	}
	// Protocol 0: this socket receives nothing.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, failure("attach device", d.text, err, "run as root or with CAP_NET_RAW and CAP_NET_ADMIN")
	}
	return &iface{name, link.Index, fd, uint32(link.MTU)}, nil
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

// setMTU changes the interface's, in bytes of IP packet.
func (i *iface) setMTU(mtu uint32) error {
	req, err := unix.NewIfreq(i.name)
	if err == nil {
		req.SetUint32(mtu)
		err = unix.IoctlIfreq(i.fd, unix.SIOCSIFMTU, req)
	}
	if err != nil {
		return failure("set MTU of interface "+i.name, mtu, err, "choose one that it takes (ip -d link: minmtu, maxmtu)")
	}
	return nil
}

func (i *iface) close() error {
	if i == nil {
		return nil
	}
	err := i.setMTU(i.mtu)
	if errors.Is(err, unix.ENODEV) { // the interface has gone
		err = nil
	}
	return errors.Join(err, unix.Close(i.fd))
}
