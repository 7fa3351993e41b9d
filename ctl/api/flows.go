package api

import "net/netip"

// FlowFilter chooses flows. The zero value chooses all.
type FlowFilter struct {
	Service *Key           // nil: of all services
	Client  netip.Addr     // invalid: of all clients
	Backend netip.AddrPort // invalid: to all backends; port 0: to all ports of the address
	Limit   int            // 0: no limit
}

// MatchClient tells whether the filter lets a client's address pass.
func (f FlowFilter) MatchClient(addr netip.Addr) bool {
	return !f.Client.IsValid() || f.Client == addr
}

// MatchBackend tells whether the filter lets a backend pass.
func (f FlowFilter) MatchBackend(b netip.AddrPort) bool {
	want := f.Backend
	if !want.Addr().IsValid() {
		return true
	}
	return want.Addr() == b.Addr() && (want.Port() == 0 || want.Port() == b.Port())
}

// MatchService tells whether the filter lets a service pass.
func (f FlowFilter) MatchService(k Key) bool { return f.Service == nil || *f.Service == k }

// ParseBackendFilter reads ADDR or ADDR:PORT; without a port the result's is 0.
func ParseBackendFilter(s string) (netip.AddrPort, error) {
	if addr, err := parseAddr(s); err == nil {
		return netip.AddrPortFrom(addr, 0), nil
	}
	return ParseEndpoint(s, 0)
}

// ParseAddress reads a unicast address without zone. The error is an *Error of
// kind Invalid.
func ParseAddress(s string) (netip.Addr, error) { return parseAddr(s) }
