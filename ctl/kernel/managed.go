package kernel

import (
	"errors"
	"net/netip"
)

// SetAddresses makes addrs exactly the addresses that we manage beside the
// configured ones: virtual and local addresses of services, as /32 or /128 on
// the twin that has a subnet with the address, else on the first. Addresses that
// somebody else has put on a twin stay.
func (p *Path) SetAddresses(addrs []netip.Addr) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.twins) == 0 {
		return errors.New("set addresses: no port: configure one")
	}
	wanted, present, err := p.present()
	if err != nil {
		return err
	}
	for _, addr := range addrs {
		if t := home(p.twins, present, addr); t != nil {
			wanted[t][netip.PrefixFrom(addr, addr.BitLen())] = true
		}
	}
	var failed []error
	for _, t := range p.twins {
		failed = append(failed, t.reconcile(wanted[t]))
	}
	return errors.Join(failed...)
}

// present lists what is on the twins, and starts the wanted set of each with
// what is configured.
func (p *Path) present() (map[*twin]map[netip.Prefix]bool, map[*twin][]address, error) {
	wanted, present := map[*twin]map[netip.Prefix]bool{}, map[*twin][]address{}
	for _, t := range p.twins {
		list, err := addressesOf(t.index)
		if err != nil {
			return nil, nil, err
		}
		present[t], wanted[t] = list, map[netip.Prefix]bool{}
		for prefix := range p.fixed[t] {
			wanted[t][prefix] = true
		}
	}
	return wanted, present, nil
}

// home finds the twin for a managed address; nil when it is configured on one
// with the prefix of its subnet.
func home(twins []*twin, present map[*twin][]address, addr netip.Addr) *twin {
	best, bits := twins[0], -1
	for _, t := range twins {
		for _, a := range present[t] {
			if a.prefix.IsSingleIP() || !a.prefix.Contains(addr) {
				continue
			}
			if a.prefix.Addr() == addr {
				return nil
			}
			if a.prefix.Bits() > bits {
				best, bits = t, a.prefix.Bits()
			}
		}
	}
	return best
}
