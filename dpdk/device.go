package dpdk

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/yerden/go-dpdk/eal"
)

// DPDK answers most wrong devices with -1 and a line in its log. What can be
// looked up beforehand is looked up (here and in iface.go), for an error that
// says what to do.

var pciForm = regexp.MustCompile(`^(?:[0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]$`)

// checkDevice refuses a device that cannot be attached.
func checkDevice(device string) error {
	name, _, _ := strings.Cut(device, ",")
	if name == "" {
		return failure("attach device", `""`, because("empty"), "give e.g. net_af_packet0,iface=eth0 or a PCI address")
	}
	if pciForm.MatchString(name) {
		return checkPCI("/sys/bus/pci/devices", name)
	}
	return nil
}

// userDrivers leave a PCI device to DPDK, or (mlx*) share it with the kernel.
var userDrivers = []string{"vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core"}

// checkPCI looks the device up in sysfs.
func checkPCI(devices, address string) error {
	if len(address) == len("03:00.0") {
		address = "0000:" + address
	}
	address = strings.ToLower(address)
	dir := filepath.Join(devices, address)
	if _, err := os.Stat(dir); err != nil {
		return failure("attach PCI device", address, because("this machine has none of that address"), "correct it (see lspci -D)")
	}
	link, err := os.Readlink(filepath.Join(dir, "driver"))
	if errors.Is(err, os.ErrNotExist) {
		return failure("attach PCI device", address, because("bound to no driver"), "dpdk-devbind.py --bind=vfio-pci "+address)
	}
	if driver := filepath.Base(link); err == nil && !slices.Contains(userDrivers, driver) {
		return failure("attach PCI device", address, because("the kernel's driver %s has it", driver),
			"take it off the kernel: dpdk-devbind.py --bind=vfio-pci "+address)
	}
	if !eal.HasPCI() {
		return failure("attach PCI device", address, because("EAL runs without PCI"), "switch PCI on in the EAL's configuration")
	}
	return nil
}
