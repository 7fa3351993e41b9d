package dpdk

import (
	"regexp"
	"slices"
	"strings"
)

// device is a device string taken apart: "net_af_packet0,iface=eth0",
// "0000:03:00.0", or a bond with its members in brackets:
//
//	net_bonding0,mode=1,member=(net_af_packet0,iface=eth0),member=0000:03:00.0
//
// DPDK knows a bond's members by name only, and calls them slaves; Sluice
// attaches them first and gives the names.
type device struct {
	text    string // as configured
	name    string // "net_af_packet0", "0000:03:00.0"
	driver  string // "net_af_packet", "pci"; "" when Sluice does not know it
	args    []argument
	members []device
}

type argument struct{ key, value string }

// Drivers that get some care. Others are attached as they are.
const (
	afPacket   = "net_af_packet"
	afXDP      = "net_af_xdp"
	bonding    = "net_bonding"
	memif      = "net_memif"
	null       = "net_null"
	pcap       = "net_pcap"
	pci        = "pci"
	ring       = "net_ring"
	tap        = "net_tap"
	vhost      = "net_vhost"
	virtioUser = "net_virtio_user"
)

var drivers = []string{afPacket, afXDP, bonding, memif, null, pcap, ring, tap, vhost, virtioUser}

var pciForm = regexp.MustCompile(`^(?:[0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7]$`)

// parseDevice takes a device string apart; an error is about its form only.
func parseDevice(text string) (device, error) {
	parts, err := splitDevice(text)
	if err != nil {
		return device{}, err
	}
	d := device{text: text, name: parts[0], driver: driverOf(parts[0])}
	if d.name == "" {
		return d, failure("attach device", `""`, because("empty"), "give e.g. net_af_packet0,iface=eth0 or a PCI address")
	}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		if d.driver != bonding || key != "member" && key != "slave" {
			d.args = append(d.args, argument{key, value})
			continue
		}
		m, err := parseDevice(strings.TrimSuffix(strings.TrimPrefix(value, "("), ")"))
		if err != nil {
			return d, failure("member of", d.name, err, "give e.g. member=(net_af_packet0,iface=eth0)")
		}
		d.members = append(d.members, m)
	}
	return d, nil
}

// splitDevice splits at the commas outside of brackets.
func splitDevice(text string) (parts []string, err error) {
	depth, start := 0, 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
		if depth < 0 || depth > 1 {
			break
		}
	}
	if depth != 0 {
		return nil, failure("attach device", text, because("brackets do not match, or are nested"),
			"put each member of a bond in one pair: member=(net_af_packet0,iface=eth0)")
	}
	return append(parts, text[start:]), nil
}

// driverOf follows DPDK: a virtual device's name starts with its driver's.
func driverOf(name string) string {
	if pciForm.MatchString(name) {
		return pci
	}
	for _, d := range drivers {
		if strings.HasPrefix(name, d) {
			return d
		}
	}
	return ""
}

// value is that of an argument; "" when it is not there.
func (d device) value(key string) string {
	if i := slices.IndexFunc(d.args, func(a argument) bool { return a.key == key }); i >= 0 {
		return d.args[i].value
	}
	return ""
}

// dpdk is the device string as DPDK takes it, for a port of that MTU.
func (d device) dpdk(mtu uint16) string {
	parts := []string{d.name}
	for _, a := range append(slices.Clip(d.args), d.frameArgs(mtu)...) {
		parts = append(parts, a.key+"="+a.value)
	}
	for _, m := range d.members {
		parts = append(parts, "slave="+m.name)
	}
	return strings.Join(parts, ",")
}

// all are the devices with hardware or an interface: a bond's members, or the
// device itself.
func (d device) all() []device {
	if d.driver == bonding {
		return d.members
	}
	return []device{d}
}

// pciAddress is a device's in full, as sysfs writes it.
func (d device) pciAddress() string {
	if len(d.name) == len("03:00.0") {
		return "0000:" + strings.ToLower(d.name)
	}
	return strings.ToLower(d.name)
}

// Interfaces are the kernel interfaces under a device, whose frames the kernel
// sees, too, unless something keeps them from it: those of net_af_packet
// (always) and of net_af_xdp (frames of queues without a socket), bonded ones
// included.
func Interfaces(text string) (names []string) {
	d, err := parseDevice(text)
	if err != nil {
		return nil
	}
	for _, m := range d.all() {
		if name := m.value("iface"); name != "" && m.onInterface() {
			names = append(names, name)
		}
	}
	return names
}

// onInterface says whether the device is a socket on a kernel interface.
func (d device) onInterface() bool { return d.driver == afPacket || d.driver == afXDP }
