package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
)

// ghosts is how many addresses of each network nobody has.
const ghosts = 50

// ghost is an address in front of the gateway or behind it that nobody has:
// .200 and up, ::2000 and up.
func (l *lab) ghost(r *rand.Rand, side, family string) string {
	host := "gw"
	if side == "back" {
		host = "gw-back"
	}
	a := l.addr(host, family).AsSlice()
	n := r.IntN(ghosts)
	if len(a) == 4 {
		a[3] = byte(200 + n)
	} else {
		binary.BigEndian.PutUint16(a[14:], uint16(0x2000+n))
	}
	addr, _ := netip.AddrFromSlice(a)
	return addr.String()
}

// nth is the address n further.
func nth(addr netip.Addr, n int) netip.Addr {
	for range n {
		addr = addr.Next()
	}
	return addr
}
