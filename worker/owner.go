package worker

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
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

// toeplitz4 holds, for each byte position of an IPv4 four-tuple and each value
// of that byte, its share of the hash: Toeplitz is linear over XOR.
var toeplitz4 = toeplitzTable(RSSKey[:], 12)

func toeplitzTable(key []byte, bytes int) [][256]uint32 {
	table := make([][256]uint32, bytes)
	for i := range table {
		for v := range 256 {
			for bit := range 8 {
				if v&(0x80>>bit) != 0 {
					table[i][v] ^= keyWindow(key, 8*i+bit)
				}
			}
		}
	}
	return table
}

// keyWindow is the 32 bits of key from bit position at.
func keyWindow(key []byte, at int) uint32 {
	var b [8]byte
	copy(b[:], key[at/8:])
	return uint32(binary.BigEndian.Uint64(b[:]) >> (32 - at%8))
}

// toeplitz is the RSS hash of a tuple: source address, destination address,
// source port, destination port, as the device hashes them ("Receive Side
// Scaling", Microsoft).
func toeplitz(t flow.Tuple4) (hash uint32) {
	for i := range 8 {
		hash ^= toeplitz4[i][byte(t.Addrs>>(8*i))]
	}
	for i := range 4 {
		hash ^= toeplitz4[8+i][byte(t.Ports>>(8*i))]
	}
	return hash
}

// owner is the worker that keeps the flow of a packet: the same for all its
// packets in one direction, and for fullnat in both, because the local port is
// chosen so (freePort).
func owner(t flow.Tuple4, workers int) int {
	return int(toeplitz(t)%RETASize) % workers
}

// owns says whether packets with this tuple are this worker's.
func (w *Worker) owns(t flow.Tuple4) bool {
	return w.cfg.Peers == nil || owner(t, len(w.cfg.Peers.rings)) == w.id
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

// handOver marks the packets of other workers' flows. Fragments stay: they are
// not a flow's.
func (w *Worker) handOver(slots []slot) {
	for i := range slots {
		s := &slots[i]
		if s.verdict != packet.Pending || s.packet.Fragment {
			continue
		}
		if to := owner(s.tuple(), len(w.cfg.Peers.rings)); to != w.id {
			s.verdict, s.port = packet.Handover, uint16(to)
		}
	}
}

// pushPeer gives a marked packet to its owner.
func (w *Worker) pushPeer(s *slot) packet.Verdict {
	if !w.cfg.Peers.rings[s.port][w.id].Push(s.buf) {
		return packet.DropHandoverRing
	}
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
		w.walk(n)
	}
	return moved
}
