package worker

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/packet"
)

// parseAhead6 is parsePlain6 for all of a burst whose first frames are being loaded.
func (w *Worker) parseAhead6(n, port int) (taken uint64) {
	for from := 0; from < n; from += packet.Ahead {
		to := min(from+packet.Ahead, n)
		prefetchFrames(&w.in, to, min(to+packet.Ahead, n))
		taken |= w.parsePlain6(from, to, port)
	}
	return taken
}

// parsePlain6 is parsePlain for IPv6 without extension headers, in Go, and for the
// packets of all ports; it loads no buckets and leaves slots alone.
//
// All of it is one loop, because the compiler inlines nothing as long as a
// packet's checks. A source that begins with eight zero bytes, as those do that no
// host may send from (packet.Parse), is rare and left.
func (w *Worker) parsePlain6(from, to, port int) (taken uint64) {
	table, mac := w.table, uint64(0)
	if port != handedOver {
		mac = w.gates[port].MAC
	}
	for i := from; i < min(to, packet.BurstSize); i++ {
		b := w.in[i]
		if port != handedOver {
			b.Port = uint16(port)
		} else {
			mac = w.gates[b.Port].MAC
		}
		if b.Segments() != 1 || b.Len() < packet.Plain6Len {
			continue
		}
		h := b.Head6()
		const typeAndVersion = 0x60_dd_86 // bytes 12 to 14; the traffic class begins in the last
		if (binary.LittleEndian.Uint64(h[0:8])^mac)<<16 != 0 || binary.LittleEndian.Uint32(h[12:16])&0xf0ffff != typeAndVersion {
			continue
		}
		payload := int(binary.BigEndian.Uint16(h[18:20]))
		s0, s1, d0, d1 := (*packet.IPv6)(h[packet.EthernetLen:]).Words()
		if payload > b.Len()-at6 || byte(d0) == 0xff || byte(s0) == 0xff || s0 == 0 || (s0^d0)|(s1^d1) == 0 {
			continue
		}
		proto := h[20]
		if proto == packet.ProtoUDP {
			if size := int(binary.BigEndian.Uint16(h[58:60])); size < packet.UDPLen || size > payload {
				continue
			}
		} else {
			if proto != packet.ProtoTCP || payload < packet.TCPLen {
				continue
			}
			tcp := b.TCP6()
			if size := tcp.HeaderLen(); size < packet.TCPLen || size > payload {
				continue
			}
		}
		src, dst := table.HashAddrs6(s0, s1, d0, d1)
		w.hashes[i] = table.HashPorts6(src, dst, binary.LittleEndian.Uint32(h[at6:]), proto)
		taken |= 1 << i
	}
	return taken
}
