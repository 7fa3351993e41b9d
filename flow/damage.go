package flow

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// damage says why the current entry cannot be what a table wrote; Adopted when
// it can. Whatever the file holds, an entry that passes is one that the worker
// could have made for this backend.
func (a *Adoption) damage(c *Common, old *cold) Outcome {
	switch {
	case c.Flags != flagUsed:
		return BadFlags
	case !kindOK(c):
		return BadKind
	case int(c.Backend) >= len(a.saved.identities) || !a.saved.identities[c.Backend].valid():
		return BadBackend
	case !a.tuplesOK(c.Mode, &a.saved.identities[c.Backend]):
		return BadTuple
	case int32(a.silent(c)) < 0 || int32(a.tick-old.created) < 0 || int32(c.LastSeen-old.created) < 0:
		return BadTime
	}
	return Adopted
}

// kindOK: UDP has one state, TCP those of a connection that has begun.
func kindOK(c *Common) bool {
	if c.Mode == service.ModeNone || c.Mode > service.ModeTun {
		return false
	}
	switch c.Proto {
	case packet.ProtoUDP:
		return c.State == StateUDP
	case packet.ProtoTCP:
		return c.State > StateUDP && c.State < StateListen
	}
	return false
}

// ends are source and destination of a tuple.
type ends struct{ src, dst netip.AddrPort }

// tuplesOK compares both tuples of the current entry with its backend.
func (a *Adoption) tuplesOK(mode service.Mode, d *Identity) bool {
	var request, reply ends
	var proto uint8
	var replies bool
	if a.family == IPv6 {
		e := &a.hot6[a.at]
		req, rep := e.Tuple(Request), e.Tuple(Reply)
		request, reply, proto, replies = req.ends(), rep.ends(), e.Proto, e.hasReply()
	} else {
		e := &a.hot4[a.at]
		request, reply, proto, replies = e.Tuple(Request).ends(), e.Tuple(Reply).ends(), e.Proto, e.hasReply()
	}
	if proto != d.Service.Proto || request.dst != netip.AddrPortFrom(d.Service.Addr, d.Service.Port) || request.src.Addr().IsUnspecified() {
		return false
	}
	backend := netip.AddrPortFrom(d.Addr, d.Port)
	switch mode {
	case service.ModeNAT:
		return reply.src == backend && reply.dst == request.src
	case service.ModeFullNAT:
		return reply.src == backend && !reply.dst.Addr().IsUnspecified() && reply.dst.Port() != 0
	}
	return !replies // dr and tun: they bypass the gateway
}

func (t Tuple4) ends() ends {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], t.Addrs)
	return ends{
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[:4])), hostPort(t.Ports)),
		netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), hostPort(t.Ports>>16)),
	}
}

func (t *Tuple6) ends() ends {
	var b [32]byte
	for i, word := range t.Addrs {
		binary.LittleEndian.PutUint64(b[8*i:], word)
	}
	return ends{
		netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[:16])), hostPort(t.Ports)),
		netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[16:])), hostPort(t.Ports>>16)),
	}
}

// hostPort is a raw port in host byte order.
func hostPort(raw uint32) uint16 { return bits.ReverseBytes16(uint16(raw)) }
