package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// story is what the watch has seen of one connection: between the client and the
// service, and between the gateway and the server. A server's leg is known by the
// client's initial sequence number, which no mode changes.
type story struct {
	client netip.AddrPort // zero if it is not known
	to     netip.AddrPort
	sights []sight // the oldest first
	notes  []note
}

// before is how long before a connection its story begins: who had its tuple then?
const before = 20 * time.Second

// told is how many segments of a story are printed.
const told = 60

// settled is how long sights may take to arrive.
const settled = 100 * time.Millisecond

// tell looks up the connection that began then and failed with err.
func (w *watch) tell(s *site, began time.Time, err error) story {
	time.Sleep(settled)
	t := story{to: s.to(), client: source(err), notes: w.noted(began.Add(-2 * time.Second))}
	legs := []leg{{t.client, t.to}}
	if !t.client.IsValid() {
		legs = w.refused(t.to, began)
	}
	legs = w.servers(legs, began)
	t.sights = w.since(began.Add(-before), func(x *sight) bool { return hasAny(legs, x) })
	slices.SortStableFunc(t.sights, func(a, b sight) int { return a.at.Compare(b.at) })
	return t
}

// refused are the connections to a service that were reset since then: among them
// is one of which only the service is known.
func (w *watch) refused(to netip.AddrPort, since time.Time) (legs []leg) {
	for _, x := range w.since(since, func(x *sight) bool { return x.src == to && x.flags&frame.RST != 0 }) {
		if l := (leg{x.dst, x.src}); !slices.Contains(legs, l) {
			legs = append(legs, l)
		}
	}
	return legs
}

// servers adds, to legs between client and service, those between gateway and
// server.
func (w *watch) servers(legs []leg, began time.Time) []leg {
	var sequences []uint32
	for _, x := range w.since(began, func(x *sight) bool { return x.flags&frame.SYN != 0 && hasAny(legs, x) }) {
		if x.flags&frame.ACK == 0 {
			sequences = append(sequences, x.seq)
		}
	}
	opens := func(x *sight) bool { return x.flags&frame.SYN != 0 && slices.Contains(sequences, x.seq) }
	for _, x := range w.since(began, opens) {
		if l := (leg{x.src, x.dst}); !slices.Contains(legs, l) {
			legs = append(legs, l)
		}
	}
	return legs
}

func hasAny(legs []leg, x *sight) bool {
	return slices.ContainsFunc(legs, func(l leg) bool { return l.has(x) })
}

// leg is one TCP connection as a host has it.
type leg struct{ client, server netip.AddrPort }

func (l leg) has(s *sight) bool {
	return s.src == l.client && s.dst == l.server || s.src == l.server && s.dst == l.client
}

// source is the local end of the connection that an error is about, zero if the
// error does not say.
func source(err error) netip.AddrPort {
	var op *net.OpError
	if errors.As(err, &op) {
		if addr, ok := op.Source.(*net.TCPAddr); ok {
			return netip.AddrPortFrom(addr.AddrPort().Addr().Unmap(), addr.AddrPort().Port())
		}
	}
	return netip.AddrPort{}
}

// isReset says whether an error is a reset, of a connection or of the attempt.
func isReset(err error) bool {
	return errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EPIPE)
}

// resetter is the host that sent the reset which reached the client: its kernel,
// or, if it is the client, we, by forging one. It is nobody when there was none:
// an ICMP error refuses connections as well.
func (t story) resetter() string {
	for _, x := range t.sights {
		if x.flags&frame.RST != 0 && x.dst != t.to && x.out {
			return x.host
		}
	}
	return nobody
}

const nobody = "nobody"

// intended: without a service or a backend the gateway refuses. No change resets
// what a server has, or makes one reset it.
func (t story) intended() bool { return slices.Contains([]string{"gw", nobody}, t.resetter()) }

// String is the story, a line a segment, and what else went on.
func (t story) String() string {
	var out strings.Builder
	hidden := max(0, len(t.sights)-told)
	fmt.Fprintf(&out, "    reset by %s; what was seen of it, but for %d segments before:\n", t.resetter(), hidden)
	for _, x := range t.sights[hidden:] {
		way := "in "
		if x.out {
			way = "out"
		}
		fmt.Fprintf(&out, "    %s %-6s %-8s %s %v > %v %s seq %d ack %d, %d bytes, hops %d\n", x.at.Format("15:04:05.000000"),
			x.host, x.device, way, x.src, x.dst, flagNames(x.flags), x.seq, x.ack, x.bytes, x.hops)
	}
	for _, n := range t.notes {
		fmt.Fprintf(&out, "    %s %s\n", n.at.Format("15:04:05.000000"), n.what)
	}
	return out.String()
}

// flagNames are TCP's flags, the lowest first.
func flagNames(flags uint8) string {
	out := ""
	for i, name := range "FSRPAUEC" {
		if flags>>i&1 != 0 {
			out += string(name)
		}
	}
	return out
}
