package dpdk

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/yerden/go-dpdk/eal"
)

// DPDK answers most wrong devices with -1 and a line in its log. What can be
// looked up beforehand is looked up (here and in iface.go), for an error that
// says what to do.

// check refuses a device that cannot be attached.
func (d device) check() error {
	switch d.driver {
	case pci:
		return checkPCI("/sys/bus/pci/devices", d.pciAddress())
	case bonding:
		return d.checkBond()
	case memif:
		return d.checkMemif()
	case vhost:
		return d.checkVhost()
	case virtioUser:
		return d.checkVirtioUser()
	case tap:
		return d.checkTap()
	}
	return nil
}

// userDrivers leave a PCI device to DPDK, or (mlx*) share it with the kernel.
var userDrivers = []string{"vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core"}

// checkPCI looks the device up in sysfs.
func checkPCI(devices, address string) error {
	dir := filepath.Join(devices, address)
	bind := "dpdk-devbind.py --bind=vfio-pci " + address + " (uio_pci_generic where there is no IOMMU)"
	if _, err := os.Stat(dir); err != nil {
		return failure("attach PCI device", address, because("this machine has none of that address"), "correct it (see lspci -D)")
	}
	link, err := os.Readlink(filepath.Join(dir, "driver"))
	if errors.Is(err, os.ErrNotExist) {
		return failure("attach PCI device", address, because("bound to no driver"), bind)
	}
	if driver := filepath.Base(link); err == nil && !slices.Contains(userDrivers, driver) {
		return failure("attach PCI device", address, because("the kernel's driver %s has it", driver), "take it off the kernel: "+bind)
	}
	if !eal.HasPCI() {
		return failure("attach PCI device", address, because("EAL runs without PCI"), "list the device in EALConfig.Devices")
	}
	return nil
}

// checkBond: a bond without members comes up and carries nothing.
func (d device) checkBond() error {
	if len(d.members) == 0 {
		return failure("attach device", d.text, because("a bond without members"),
			"add e.g. member=(net_af_packet0,iface=eth0),member=(net_af_packet1,iface=eth1)")
	}
	if d.value("mode") == "" {
		return failure("attach device", d.text, because("no mode"), "add mode=1 (active-backup) or mode=4 (LACP)")
	}
	for _, m := range d.members {
		if err := m.check(); err != nil {
			return failure("member of", d.name, err, "correct the member, or leave it out")
		}
	}
	return nil
}

// checkMemif: the abstract socket is the default and needs no folder.
func (d device) checkMemif() error {
	socket := d.value("socket")
	if socket == "" || d.value("socket-abstract") != "no" {
		return nil
	}
	return d.checkFolder(socket)
}

func (d device) checkFolder(socket string) error {
	dir := filepath.Dir(socket)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return failure("attach device", d.text, because("no directory %s for its socket", dir), "mkdir -p "+dir)
	}
	return nil
}

// checkVhost removes the socket of a process that was killed: DPDK would not
// bind to it.
func (d device) checkVhost() error {
	socket := d.value("iface")
	if socket == "" {
		return failure("attach device", d.text, because("no socket"), "add iface=/path/to/socket")
	}
	if d.value("client") == "1" {
		return nil
	}
	if err := d.checkFolder(socket); err != nil {
		return err
	}
	info, err := os.Lstat(socket)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil || info.Mode().Type() != os.ModeSocket:
		return failure("attach device", d.text, because("%s is there and is no socket", socket), "remove it, or choose another path")
	}
	conn, err := net.Dial("unix", socket)
	if err == nil {
		conn.Close()
		return failure("attach device", d.text, because("a running process listens on %s", socket), "stop it, or choose another path")
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		err = os.Remove(socket)
	}
	if err != nil {
		return failure("attach device", d.text, err, "remove "+socket)
	}
	return nil
}

func (d device) checkVirtioUser() error {
	path := d.value("path")
	if path == "" {
		return failure("attach device", d.text, because("no path"), "add path=/path/to/socket of the vhost-user side")
	}
	if d.value("server") == "1" {
		return d.checkFolder(path)
	}
	if _, err := os.Stat(path); err != nil {
		return failure("attach device", d.text, because("no %s", path), "start the vhost-user side first, or let this one wait for it: server=1")
	}
	return nil
}

func (d device) checkTap() error {
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err != nil {
		return failure("attach device", d.text, err, "load module tun, and run as root or with CAP_NET_ADMIN")
	}
	f.Close()
	name := d.value("iface")
	if _, err := net.InterfaceByName(name); name != "" && err == nil {
		return failure("attach device", d.text, because("interface %s is there already", name),
			"choose another iface=, or for an interface that exists use net_af_packet0,iface="+name)
	}
	return nil
}
