package service

import (
	"sync/atomic"
	"unsafe"

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
// Net that has it; what changes under it are the link addresses, and rarely the
// MTU. So an id is good only together with the Net that it came from, as flows
// keep it. Nobody locks: the destination fits a word. (A reader can see half of a
// new source address: only when our own port gets another one.)
//
// Control plane: writes. Workers: read.
type NextHops struct {
	slots [MaxNextHops]hopSlot
}

// hopSlot is a next hop in the form that rewriting stores. A resolved one has an exit.
type hopSlot struct {
	dstSrc atomic.Uint64 // first 8 bytes of the Ethernet header, little-endian
	rest   atomic.Uint64 // next 4 bytes, exit<<32, MTU<<48
	vlan   atomic.Uint64
	_      uint64
}

// Exit is a port, and whether frames carry a tag there, so that one comparison tells all
// that nearly all packets need: exits without a tag, ExitOf, are the highest, those of
// lower ports above those of higher ones; then come those with a tag; 0 is none.
type Exit uint16

// untagged is the bit that a tag takes away.
const untagged Exit = 1 << 15

// ExitOf is that of a port, below 32767, without tag.
func ExitOf(port uint16) Exit { return ^Exit(port) }

// Port is the index of the port.
func (x Exit) Port() uint16 { return uint16(^x &^ untagged) }

// Hop is a next hop as Load read it. Two words, so that they stay in registers.
type Hop struct {
	DstSrc uint64 // bytes 0-7 of the Ethernet header, little-endian: destination, first two bytes of source
	rest   uint64
}

// Src is bytes 8-11 of the Ethernet header, little-endian: the rest of the source.
func (h Hop) Src() uint32 { return uint32(h.rest) }

// Exit is where frames leave, 0 when the next hop is not resolved.
func (h Hop) Exit() Exit { return Exit(h.rest >> 32) }

// Port is the index of the port.
func (h Hop) Port() uint16 { return h.Exit().Port() }

// Tagged says whether frames carry a tag: VLAN.
func (h Hop) Tagged() bool { return h.Exit()&untagged == 0 }

// MTU is how many bytes of IP packet fit.
func (h Hop) MTU() uint16 { return uint16(h.rest >> 48) }

// Fits says whether n bytes of IP packet fit, n below 65536.
func (h Hop) Fits(n uint64) bool { return n <= h.rest>>48 }

// Load reads next hop id. ok is false when it is not resolved (or id is 0).
func (n *NextHops) Load(id NextHopID) (h Hop, ok bool) {
	if id >= MaxNextHops {
		return h, false
	}
	if h = n.Of(id); h.Exit() == 0 {
		return Hop{}, false
	}
	return h, true
}

// Of is Load for the id of a next hop that there is; Exit is 0 when it is not resolved.
func (n *NextHops) Of(id NextHopID) Hop {
	s := &n.slots[id%MaxNextHops]
	rest := s.rest.Load() // first: with an exit, the destination is there
	return Hop{s.dstSrc.Load(), rest}
}

// Address is where next hop 0 is in memory, and the others behind it, HopSize bytes
// each: for those who load them ahead.
func (n *NextHops) Address() unsafe.Pointer { return unsafe.Pointer(&n.slots[0]) }

// HopSize is how many bytes a next hop takes.
const HopSize = unsafe.Sizeof(hopSlot{})

// VLAN is the 802.1Q id of a tagged next hop's frames.
func (n *NextHops) VLAN(id NextHopID) uint16 { return uint16(n.slots[id%MaxNextHops].vlan.Load()) }

// Set publishes what is known of next hop id. Control plane only. Id 0 is
// reserved and ignored. Ports are below 32767.
func (n *NextHops) Set(id NextHopID, h NextHop) {
	if id == 0 || id >= MaxNextHops {
		return
	}
	s := &n.slots[id]
	if !h.Resolved {
		s.rest.Store(0)
		return
	}
	exit := ExitOf(h.Port)
	if h.VLAN != 0 {
		exit &^= untagged
	}
	s.vlan.Store(uint64(h.VLAN))
	s.dstSrc.Store(h.Dst.Raw() | h.Src.Raw()<<48)
	s.rest.Store(h.Src.Raw()>>16 | uint64(exit)<<32 | uint64(h.MTU)<<48)
}
