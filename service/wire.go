package service

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Wire is an address, alone or as part of a Key, in the form that packets have it:
// words loaded little-endian from network byte order. So it takes no conversion to
// ask about a packet's. The zero value is no address.
type Wire struct {
	hi, lo uint64 // bytes 0-7 and 8-15 of an IPv6 address; of IPv4 0 and the address
	rest   uint64 // port, protocol<<16, family<<24
}

const (
	wire4    = 4 << 24
	wire6    = 6 << 24
	wireAddr = 0xff << 24 // of rest, what belongs to the address
)

// Wire4 is an IPv4 address and port, both raw, and the protocol.
func Wire4(addr uint32, port uint16, proto uint8) Wire {
	return Wire{0, uint64(addr), uint64(port) | uint64(proto)<<16 | wire4}
}

// Wire6 is bytes 0-7 and 8-15 of an IPv6 address and the port, all raw, and the
// protocol.
func Wire6(hi, lo uint64, port uint16, proto uint8) Wire {
	return Wire{hi, lo, uint64(port) | uint64(proto)<<16 | wire6}
}

// Address is the address alone.
func (w Wire) Address() Wire { return Wire{w.hi, w.lo, w.rest & wireAddr} }

// Addr is the address in its usual form.
func (w Wire) Addr() netip.Addr {
	var b [16]byte
	if w.rest&wireAddr == wire4 {
		binary.LittleEndian.PutUint32(b[:], uint32(w.lo))
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	binary.LittleEndian.PutUint64(b[:8], w.hi)
	binary.LittleEndian.PutUint64(b[8:], w.lo)
	return netip.AddrFrom16(b)
}

// Spread spreads addresses; the values differ from run to run.
func (w Wire) Spread() uint32 { return uint32(w.Address().hash(seed) >> 32) }

func (w Wire) hash(seed uint64) uint64 { return mix(seed, mix(seed, w.hi, w.rest), w.lo) }

func mix(seed, a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^seed, b^0x9E3779B97F4A7C15)
	return hi ^ lo
}

// wireAddress is an address alone.
func wireAddress(a netip.Addr) Wire {
	if a.Is4() {
		b := a.As4()
		return Wire4(binary.LittleEndian.Uint32(b[:]), 0, 0)
	}
	b := a.As16()
	return Wire6(binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:]), 0, 0)
}

// Wire is the key as it stands in a packet.
func (k Key) Wire() Wire {
	w := wireAddress(k.Addr)
	w.rest |= uint64(bits.ReverseBytes16(k.Port)) | uint64(k.Proto)<<16
	return w
}
