package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// RSSKey is the Toeplitz key of every port and of owner. It is no secret: what
// an attacker gains by knowing it is to choose the worker, not a bucket.
var RSSKey = [40]byte{
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0,
	0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c,
	0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
}

// RETASize is the number of slots of the redirection table: worker = slot mod N.
const RETASize = 128

// The owner of a flow is the worker that keeps it: one function, the same for
// all its packets.
//
//	dr, tun, fullnat requests   Toeplitz over addresses and ports
//	fullnat replies             the same, over the reply's: the local port is
//	                            chosen so that it comes out alike (localPorts)
//	nat, both directions        Toeplitz over the client's address and port
//
// It is asked about packets that the worker has no flow for. So a packet that
// the device brought to the right worker never pays for it.

// otherOwner says whether the packet belongs to another worker, and to which in
// s.port. svc is the service that it addresses, role that of its destination.
func (w *Worker) otherOwner(s *slot, svc *service.Service, role service.Role) bool {
	var hash uint32
	switch {
	case svc != nil && svc.Mode == service.ModeNAT:
		hash = clientHash(s, flow.Request)
	case role != 0:
		hash = tupleHash(s)
	case w.snap.HasNAT: // perhaps a reply of a nat backend
		hash = clientHash(s, flow.Reply)
	default:
		return false
	}
	s.port = uint16(w.slotOwner(hash))
	return int(s.port) != w.id
}

// owner is the worker of a hash, as the redirection table has it.
func owner(hash uint32, workers int) int { return int(hash%RETASize) % workers }

func (w *Worker) slotOwner(hash uint32) int { return owner(hash, len(w.cfg.Peers.rings)) }

func tupleHash(s *slot) uint32 {
	if s.packet.IPv6 {
		t := s.tuple6()
		return toeplitz6(&t)
	}
	return toeplitz(s.tuple())
}

// clientHash hashes the client alone: the source of requests, the destination
// of replies.
func clientHash(s *slot, dir flow.Dir) uint32 {
	if s.packet.IPv6 {
		t := s.tuple6()
		if dir == flow.Reply {
			t = t.Reverse()
		}
		t.Addrs[2], t.Addrs[3], t.Ports = 0, 0, t.Ports&0xffff
		return toeplitz6(&t)
	}
	t := s.tuple()
	if dir == flow.Reply {
		t = t.Reverse()
	}
	return toeplitz(flow.Tuple4{Addrs: t.Addrs & 0xffffffff, Ports: t.Ports & 0xffff})
}

// Peers joins the workers: a ring from each to each.
type Peers struct {
	rings [][]*packet.Ring // by receiving worker, by sending worker
}

// NewPeers makes the rings of that many workers, size frames each.
func NewPeers(workers, size int) *Peers {
	p := &Peers{rings: make([][]*packet.Ring, workers)}
	for to := range p.rings {
		p.rings[to] = make([]*packet.Ring, workers)
		for from := range p.rings[to] {
			p.rings[to][from] = packet.NewRing(size)
		}
	}
	return p
}

// Ring is what carries packets from one worker to another. Others than these two
// may look at its levels.
func (p *Peers) Ring(to, from int) *packet.Ring { return p.rings[to][from] }

// pushPeer gives a marked packet to its owner.
func (w *Worker) pushPeer(s *slot) packet.Verdict {
	port := s.buf.Port // after Push the buffer is the other worker's
	if !w.cfg.Peers.rings[s.port][w.id].Push(s.buf) {
		return packet.DropHandoverRing
	}
	w.arrivals[port].handedOver++
	return packet.Handover
}

// takeOver walks the packets that other workers have handed over.
func (w *Worker) takeOver() (moved int) {
	if w.cfg.Peers == nil {
		return 0
	}
	for _, ring := range w.cfg.Peers.rings[w.id] {
		n := ring.Pop(&w.in, packet.BurstSize)
		if n == 0 {
			continue
		}
		w.stats.received += uint64(n)
		moved += n
		prefetchFrames(&w.in, 0, min(n, packet.Ahead))
		w.walk(n, handedOver)
	}
	return moved
}
