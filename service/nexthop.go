package service

import (
	"sync/atomic"

	"github.com/sluice-lb/sluice/packet"
)

// MaxNextHops is the size of the next-hop array: gateways and on-link
// neighbours that traffic goes to.
const MaxNextHops = 1 << 16

// NextHop is where a frame leaves: port, VLAN, both Ethernet addresses, MTU.
type NextHop struct {
	Port     uint16 // index of the port
	VLAN     uint16 // 802.1Q id; 0: untagged
	MTU      uint16 // bytes of IP packet that fit
	Src, Dst packet.MAC
	Resolved bool // Dst is known
}

// NextHops is the array of next hops that flows refer to by id. It is shared by
// all snapshots and changes in place, so that a neighbour that moves rebuilds
// nothing. An id means the same (port, VLAN, address) as long as anybody holds a
// Net that has it; what changes under it (Dst, and rarely Src and MTU) fits a
// word each, so a reader never sees half a change and nobody locks. So an id is
// good only together with the Net that it came from, as flows keep it.
//
// Control plane: writes. Workers: read.
type NextHops struct {
	slots [MaxNextHops]hopSlot
}

// hopSlot packs a next hop into words of 48 bits MAC (as loaded little-endian
// from the wire) and 16 bits more.
type hopSlot struct {
	dst atomic.Uint64 // MAC | (port+1)<<48; 0: not resolved
	src atomic.Uint64 // MAC | MTU<<48
	tag atomic.Uint64 // VLAN
	_   uint64
}

// Hop is a resolved next hop in the form the rewrite stage stores: DstSrc and
// Src are the first 12 bytes of the Ethernet header, little-endian.
type Hop struct {
	DstSrc uint64 // bytes 0-7: destination, first two bytes of source
	Src    uint32 // bytes 8-11: rest of source
	Port   uint16
	MTU    uint16
	VLAN   uint16
}

const mac48 = 1<<48 - 1

// Load reads next hop id. ok is false when it is not resolved (or id is 0).
func (n *NextHops) Load(id NextHopID) (h Hop, ok bool) {
	if id >= MaxNextHops {
		return Hop{}, false
	}
	s := &n.slots[id]
	dst, src := s.dst.Load(), s.src.Load()
	if dst == 0 {
		return Hop{}, false
	}
	return Hop{
		DstSrc: dst&mac48 | src<<48,
		Src:    uint32(src >> 16),
		Port:   uint16(dst>>48) - 1,
		MTU:    uint16(src >> 48),
		VLAN:   uint16(s.tag.Load()),
	}, true
}

// Set publishes what is known of next hop id. Control plane only. Id 0 is
// reserved and ignored.
func (n *NextHops) Set(id NextHopID, h NextHop) {
	if id == 0 || id >= MaxNextHops {
		return
	}
	s := &n.slots[id]
	s.tag.Store(uint64(h.VLAN))
	s.src.Store(word48(h.Src) | uint64(h.MTU)<<48)
	if !h.Resolved {
		s.dst.Store(0)
		return
	}
	s.dst.Store(word48(h.Dst) | uint64(h.Port+1)<<48)
}

func word48(m packet.MAC) uint64 {
	return uint64(m[0]) | uint64(m[1])<<8 | uint64(m[2])<<16 | uint64(m[3])<<24 | uint64(m[4])<<32 | uint64(m[5])<<40
}
