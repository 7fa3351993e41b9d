package service

import "net/netip"

// octets are the routes of addresses by family and first byte, where one route
// has all that begin so; else nil. They spare clients the look-up: most of them
// come by the default route, and few longer ones lie beside it.
type octets [2][256]*Route

func newOctets(routes map[netip.Prefix]Route) (o octets) {
	var longest [2][256]int // prefix so far, in bits
	for prefix, route := range routes {
		family, first := octet(prefix.Masked().Addr())
		length := prefix.Bits()
		for i := int(first); i < int(first)+1<<max(8-length, 0); i++ {
			if at := &longest[family][i]; length >= *at {
				*at, o[family][i] = length, &route
			}
			if longest[family][i] > 8 {
				o[family][i] = nil // several
			}
		}
	}
	return o
}

func (o *octets) route(a netip.Addr) *Route {
	family, first := octet(a)
	return o[family][first]
}

func (o *octets) wire(a Wire) *Route {
	if a.rest&wireAddr == wire4 {
		return o[0][byte(a.lo)]
	}
	return o[1][byte(a.hi)]
}

// octet is an address's family, as a number, and first byte.
func octet(a netip.Addr) (family int, first byte) {
	if a.Is4() {
		return 0, a.As4()[0]
	}
	return 1, a.As16()[0]
}
