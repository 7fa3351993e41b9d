package worker

import (
	"encoding/binary"
	"math/bits"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// forward4 forwards plain IPv4 packets of known flows, one after the other, up to and
// including the first that may change its flow's state.
func (w *Worker) forward4(packets uint64) {
	hops := w.snap.Net.Hops
	for ; packets != 0; packets &= packets - 1 {
		i := bits.TrailingZeros64(packets) % packet.BurstSize
		ref, b, e := w.found.Refs[i], w.in[i], w.found.Entry4(i)
		proto, dir, h := e.Proto, ref.Dir(), b.Head()
		side := &e.Sides[dir]
		if e.Addrs[dir] != binary.LittleEndian.Uint64(h[addrs4:]) || side.Ports != binary.LittleEndian.Uint32(h[at4:]) || proto != h[proto4] || ref.IPv6() {
			w.short.left |= packets & -packets
			continue
		}
		if proto == packet.ProtoTCP && moves(e.State, h[flags4]) {
			if begins(h[flags4], w.short.look) {
				w.short.left |= packets
				return
			}
			packets &= -packets
			w.short.moving, w.short.flags = packets, h[flags4]
		}
		if e.Mode == service.ModeTun {
			w.short.tunnels |= packets & -packets
			continue
		}
		bytes := uint64(binary.BigEndian.Uint16(h[length4:]))
		b.Trim(int(bytes) + packet.EthernetLen)
		hop := hops.Of(side.Hop)
		if e.NetEpoch != w.short.epoch || hop.Exit() < w.short.last || !hop.Fits(bytes) || h[ttl4] <= 1 || side.Counts.Full() {
			w.short.left |= packets & -packets
			continue
		}
		l := &w.load[e.Backend]
		if l.mark != counted && !w.mark(l, e.Backend) {
			w.short.left |= packets & -packets
			continue
		}
		l.count(dir, bytes)
		w.short.leave(i, hop.Exit())
		(*packet.Ethernet)(h[:]).SetAddresses(hop.DstSrc, hop.Src())
		side.Counts = side.Counts.Plus(bytes)
		e.LastSeen = w.short.now
		if e.Mode == service.ModeDR {
			(*packet.IPv4)(h[packet.EthernetLen:]).DecrementTTL()
			continue
		}
		ipDelta, l4Delta := e.Deltas(dir)
		(*packet.IPv4)(h[packet.EthernetLen:]).Forward(bits.RotateLeft64(e.Addrs[dir^1], 32), ipDelta)
		if out := bits.RotateLeft32(e.Sides[dir^1].Ports, 16); e.Proto == packet.ProtoTCP {
			(*packet.TCP)(h[at4:]).Rewrite(out, l4Delta)
		} else {
			(*packet.UDP)(h[at4:]).Rewrite(out, l4Delta)
		}
	}
}
