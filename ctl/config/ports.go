package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// interfaceNameMax is the kernel's IFNAMSIZ without the terminating zero.
const interfaceNameMax = 15

func (c *Config) validatePorts() error {
	if len(c.Ports) == 0 {
		return bad("ports", "[]", "no port", "name at least one device; an example is deploy/sluice.yaml")
	}
	var errs []error
	used := users{}
	for i := range c.Ports {
		p, key := &c.Ports[i], fmt.Sprintf("ports[%d]", i)
		p.fill()
		errs = append(errs, p.validate(key),
			used.claim(key+".name", "name", p.Name), used.claim(key+".device", "device", p.Device),
			used.network(key, p.Twin, p.Addresses))
		for j := range p.VLANs {
			v, key := &p.VLANs[j], fmt.Sprintf("%s.vlans[%d]", key, j)
			errs = append(errs, v.validate(key), used.network(key, v.Twin, v.Addresses),
				used.claim(key+".id", fmt.Sprintf("vlan of ports[%d]", i), fmt.Sprint(v.ID)))
		}
	}
	return errors.Join(errs...)
}

// users remembers which key has claimed a name.
type users map[string]string

func (u users) claim(key, kind, value string) error {
	if first, taken := u[kind+" "+value]; taken && value != "" {
		return bad(key, value, "already used by "+first, "choose another")
	}
	u[kind+" "+value] = key
	return nil
}

func (u users) network(key, twin string, addresses []netip.Prefix) error {
	errs := []error{u.claim(key+".twin", "twin", twin)}
	for i, a := range addresses {
		errs = append(errs, u.claim(fmt.Sprintf("%s.addresses[%d]", key, i), "address", a.Addr().String()))
	}
	return errors.Join(errs...)
}

// fill sets what follows from the rest.
func (p *Port) fill() {
	if p.Twin == "" {
		p.Twin = "sl-" + p.Name
	}
	if p.MTU == 0 {
		p.MTU = 1500
	}
	for i := range p.VLANs {
		if v := &p.VLANs[i]; v.Twin == "" {
			v.Twin = fmt.Sprintf("%s.%d", p.Twin, v.ID)
		}
	}
}

func (p *Port) validate(key string) error {
	var errs []error
	if p.Name == "" {
		errs = append(errs, bad(key+".name", `""`, "missing", "give the port a name, such as lan"))
	}
	if p.Device == "" {
		errs = append(errs, bad(key+".device", `""`, "missing",
			"give DPDK device arguments (net_af_packet0,iface=eth0) or a PCI address (0000:3b:00.0)"))
	}
	if p.MTU < 576 || p.MTU > 9600 {
		errs = append(errs, bad(key+".mtu", p.MTU, "out of range", "use 576 to 9600"))
	}
	return errors.Join(append(errs, validateTwin(key, p.Twin), validateNetwork(key, p.Addresses, p.Routes))...)
}

func (v *VLAN) validate(key string) error {
	var wrong error
	if v.ID < 1 || v.ID > 4094 {
		wrong = bad(key+".id", v.ID, "no VLAN", "use 1 to 4094; the untagged network is the port's own")
	}
	return errors.Join(wrong, validateTwin(key, v.Twin), validateNetwork(key, v.Addresses, v.Routes))
}

func validateTwin(key, name string) error {
	if len(name) > interfaceNameMax {
		return bad(key+".twin", name, fmt.Sprintf("longer than the kernel's %d characters", interfaceNameMax), "set a shorter one")
	}
	if name == "." || name == ".." || strings.ContainsAny(name, "/%: \t\n") {
		return bad(key+".twin", strconv.Quote(name), "no name for an interface", "use letters, digits, dashes and dots")
	}
	return nil
}

func validateNetwork(key string, addresses []netip.Prefix, routes []Route) error {
	var errs []error
	for i, a := range addresses {
		if !a.IsValid() || a.Addr().IsUnspecified() || a.Addr().IsMulticast() || a.Addr().IsLoopback() || a.Addr().Is4In6() {
			errs = append(errs, bad(fmt.Sprintf("%s.addresses[%d]", key, i), a, "no address for an interface",
				"write the gateway's own with its prefix length: 10.0.0.1/24 or fd00::1/64"))
		}
	}
	for i, r := range routes {
		if !r.To.IsValid() || !r.Via.IsValid() || r.To.Addr().Is4() != r.Via.Is4() {
			errs = append(errs, bad(fmt.Sprintf("%s.routes[%d]", key, i), fmt.Sprintf("to %v via %v", r.To, r.Via),
				"no route", "write {to: 0.0.0.0/0, via: 10.0.0.254}, both of one family"))
		}
	}
	return errors.Join(errs...)
}
