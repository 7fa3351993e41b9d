package api

import (
	"net/netip"
	"strconv"
	"strings"
)

// Key identifies a service. It is comparable; ParseKey and Service.Key yield
// the canonical form.
type Key struct {
	Protocol string // "tcp" or "udp"
	Address  netip.Addr
	Port     uint16 // host byte order
}

// String writes the key as the CLI takes it: tcp:10.0.0.100:80,
// udp:[2001:db8::1]:53.
func (k Key) String() string {
	return k.Protocol + ":" + netip.AddrPortFrom(k.Address, k.Port).String()
}

// ParseKey reads what String writes. The error is an *Error of kind Invalid.
func ParseKey(s string) (Key, error) {
	protocol, rest, _ := strings.Cut(s, ":")
	if err := checkProtocol(protocol); err != nil {
		return Key{}, keyError(s, err.Why)
	}
	ap, err := ParseEndpoint(rest, 0)
	if err != nil {
		return Key{}, keyError(s, err.(*Error).Why)
	}
	return Key{protocol, ap.Addr(), ap.Port()}, nil
}

func keyError(s, why string) *Error {
	return &Error{Kind: Invalid, Field: "service", Value: s, Why: why,
		Remedy: "write PROTOCOL:ADDRESS:PORT, for example tcp:10.0.0.100:80 or udp:[2001:db8::1]:53"}
}

// NewKey parses the three parts of a key as they stand in a request's path.
func NewKey(protocol, address, port string) (Key, error) {
	if err := checkProtocol(protocol); err != nil {
		return Key{}, err
	}
	ap, err := NewEndpoint(address, port)
	if err != nil {
		return Key{}, err
	}
	return Key{protocol, ap.Addr(), ap.Port()}, nil
}

// NewEndpoint parses an address and a port given apart.
func NewEndpoint(address, port string) (netip.AddrPort, error) {
	addr, err := parseAddr(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := parsePort(port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return netip.AddrPortFrom(addr, n), nil
}

// ParseEndpoint reads ADDR:PORT or [V6]:PORT. When defaultPort is not 0 the
// port may be missing: ADDR, V6 or [V6]. An IPv6 address with a port needs the
// brackets. The error is an *Error of kind Invalid.
func ParseEndpoint(s string, defaultPort uint16) (netip.AddrPort, error) {
	host, port, ok := splitEndpoint(s)
	if !ok {
		return netip.AddrPort{}, endpointError(s, "IPv6 address and port without, or with broken, brackets")
	}
	addr, err := parseAddr(host)
	if err != nil {
		return netip.AddrPort{}, endpointError(s, err.(*Error).Why)
	}
	if port == "" && defaultPort != 0 && !strings.HasSuffix(s, ":") {
		return netip.AddrPortFrom(addr, defaultPort), nil
	}
	n, err := parsePort(port)
	if err != nil {
		return netip.AddrPort{}, endpointError(s, err.(*Error).Why)
	}
	return netip.AddrPortFrom(addr, n), nil
}

// splitEndpoint takes s apart; port is empty when there is none.
func splitEndpoint(s string) (host, port string, ok bool) {
	if rest, found := strings.CutPrefix(s, "["); found {
		host, port, ok = strings.Cut(rest, "]")
		if !ok || !strings.Contains(host, ":") || port != "" && port[0] != ':' {
			return "", "", false
		}
		return host, strings.TrimPrefix(port, ":"), true
	}
	if strings.Count(s, ":") > 1 {
		return s, "", true
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port, true
}

func endpointError(s, why string) *Error {
	return &Error{Kind: Invalid, Field: "endpoint", Value: s, Why: why,
		Remedy: "write ADDRESS:PORT, for example 10.0.0.11:80 or [2001:db8::11]:80"}
}

func checkProtocol(s string) *Error {
	if s == "tcp" || s == "udp" {
		return nil
	}
	return &Error{Kind: Invalid, Field: "protocol", Value: s, Why: "unknown protocol", Remedy: "use tcp or udp"}
}

// parseAddr accepts an address that a service, backend or gateway can have.
func parseAddr(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	why := ""
	switch {
	case s == "":
		why = "address is missing"
	case err != nil:
		why = "not an IP address"
	case addr.Zone() != "":
		why = "address has a zone"
	case addr.Is4In6():
		why = "IPv4 address written as IPv6"
	case addr.IsUnspecified(), addr.IsMulticast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		why = "not the address of one host"
	default:
		return addr, nil
	}
	return netip.Addr{}, &Error{Kind: Invalid, Field: "address", Value: s, Why: why,
		Remedy: "write an IPv4 or IPv6 unicast address, such as 10.0.0.11 or 2001:db8::11"}
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if s == "" || err != nil || n == 0 || s[0] == '0' || s[0] == '+' {
		why := "not a port"
		if s == "" {
			why = "port is missing"
		}
		return 0, &Error{Kind: Invalid, Field: "port", Value: s, Why: why, Remedy: "give a number from 1 to 65535"}
	}
	return uint16(n), nil
}
