package api

import (
	"net/netip"
	"strconv"
)

// FlowRow is a Flow before it is text. Tables have millions of flows, and what is
// garbage after each would be collected in the middle of forwarding.
type FlowRow struct {
	Worker                          int
	Protocol, Mode, State           string // plain words
	Client, Virtual, Local, Backend netip.AddrPort
	Expires                         uint32 // seconds
	InPackets, InBytes              uint64
	OutPackets, OutBytes            uint64
}

// AppendJSON appends the row as Flow has it, and the end of a line. It makes no
// garbage.
func (r *FlowRow) AppendJSON(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"worker":`...), int64(r.Worker), 10)
	b = appendWord(b, "protocol", r.Protocol)
	b = appendWord(b, "mode", r.Mode)
	b = appendWord(b, "state", r.State)
	b = appendEndpoint(b, "client", r.Client)
	b = appendEndpoint(b, "virtual", r.Virtual)
	if r.Local.IsValid() {
		b = appendEndpoint(b, "local", r.Local)
	}
	b = appendEndpoint(b, "backend", r.Backend)
	b = appendNumber(b, "expires", uint64(r.Expires))
	b = appendNumber(b, "in_packets", r.InPackets)
	b = appendNumber(b, "in_bytes", r.InBytes)
	b = appendNumber(b, "out_packets", r.OutPackets)
	b = appendNumber(b, "out_bytes", r.OutBytes)
	return append(b, "}\n"...)
}

func appendName(b []byte, name string) []byte {
	return append(append(append(b, `,"`...), name...), `":`...)
}

func appendWord(b []byte, name, word string) []byte {
	return append(append(append(appendName(b, name), '"'), word...), '"')
}

func appendEndpoint(b []byte, name string, at netip.AddrPort) []byte {
	return append(at.AppendTo(append(appendName(b, name), '"')), '"')
}

func appendNumber(b []byte, name string, n uint64) []byte {
	return strconv.AppendUint(appendName(b, name), n, 10)
}

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
