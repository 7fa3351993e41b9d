package worker

import (
	"encoding/binary"
	"net/netip"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// What differs between the families when a flow is looked up, in one place.
// All of it is valid for pending packets that are no fragments.

// tuple is an IPv4 packet's five-tuple; of an ICMP error's, the quoted packet's
// reversed.
func (s *slot) tuple() flow.Tuple4 {
	return flow.Tuple4{Addrs: s.packet.Addrs, Ports: s.packet.Ports, Proto: s.packet.Proto}
}

// tuple6 is tuple for IPv6.
func (s *slot) tuple6() flow.Tuple6 {
	frame, p := s.buf.Bytes(), &s.packet
	if p.Error {
		a := (*packet.IPv6)(frame[p.Quoted():]).AddrsRaw()
		return flow.Tuple6{Addrs: [4]uint64{a[2], a[3], a[0], a[1]}, Ports: p.Ports, Proto: p.Proto}
	}
	return flow.Tuple6{Addrs: packet.IPv6At(frame, p.L3).AddrsRaw(), Ports: p.Ports, Proto: p.Proto}
}

// matches says whether s.ref is the packet's flow.
func (w *Worker) matches(s *slot) bool {
	if s.packet.IPv6 {
		return w.matches6(s)
	}
	return w.table.Match(s.ref, s.tuple())
}

func (w *Worker) matches6(s *slot) bool {
	t := s.tuple6()
	return w.table.Match6(s.ref, &t)
}

// find is the complete search.
func (w *Worker) find(s *slot) flow.Ref {
	if s.packet.IPv6 {
		t := s.tuple6()
		return w.table.Find6(s.hash, &t)
	}
	return w.table.Find(s.hash, s.tuple())
}

// src and dst are where a packet comes from and goes to; of an ICMP error, what
// look-up takes for them. The ports of fragments are 0.
func (s *slot) src() service.Wire {
	if s.packet.IPv6 {
		t := s.tuple6()
		return service.Wire6(t.Addrs[0], t.Addrs[1], uint16(t.Ports), t.Proto)
	}
	return service.Wire4(uint32(s.packet.Addrs), uint16(s.packet.Ports), s.packet.Proto)
}

func (s *slot) dst() service.Wire {
	if s.packet.IPv6 {
		t := s.tuple6()
		return service.Wire6(t.Addrs[2], t.Addrs[3], uint16(t.Ports>>16), t.Proto)
	}
	return service.Wire4(uint32(s.packet.Addrs>>32), uint16(s.packet.Ports>>16), s.packet.Proto)
}

// address converts a raw IPv4 address, rawAddress the other way.
func address(raw uint32) netip.Addr {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], raw)
	return netip.AddrFrom4(b)
}

func rawAddress(a netip.Addr) uint32 {
	b := a.As4()
	return binary.LittleEndian.Uint32(b[:])
}

// address6 converts a raw IPv6 address, rawAddress6 the other way.
func address6(hi, lo uint64) netip.Addr {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[0:8], hi)
	binary.LittleEndian.PutUint64(b[8:16], lo)
	return netip.AddrFrom16(b)
}

func rawAddress6(a netip.Addr) (hi, lo uint64) {
	b := a.As16()
	return binary.LittleEndian.Uint64(b[0:8]), binary.LittleEndian.Uint64(b[8:16])
}

// hostPort converts a port between raw and host order, either way.
func hostPort(raw uint16) uint16 { return raw>>8 | raw<<8 }
