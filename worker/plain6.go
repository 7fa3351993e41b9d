package worker

import (
	"encoding/binary"
	"math/bits"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// forward6 is forward4 for IPv6.
func (w *Worker) forward6(packets uint64) {
	hops := w.snap.Net.Hops
	for ; packets != 0; packets &= packets - 1 {
		i := bits.TrailingZeros64(packets) % packet.BurstSize
		ref, b, e := w.found.Refs[i], w.in[i], w.found.Entry6(i)
		dir, h := ref.Dir(), b.Head6()
		ip := (*packet.IPv6)(h[packet.EthernetLen:])
		if !ref.IPv6() || !ip.HasAddrs(&e.Addrs[dir]) {
			w.short.left |= packets & -packets
			continue
		}
		side, proto := &e.Sides[dir], e.Proto
		if side.Ports != binary.LittleEndian.Uint32(h[at6:]) || proto != h[proto6] {
			w.short.left |= packets & -packets
			continue
		}
		if proto == packet.ProtoTCP && moves(e.State, b.TCP6().Flags()) {
			if begins(b.TCP6().Flags(), w.short.look) {
				w.short.left |= packets
				return
			}
			packets &= -packets
			w.short.moving, w.short.flags = packets, b.TCP6().Flags()
		}
		if e.Mode == service.ModeTun {
			w.short.tunnels |= packets & -packets
			continue
		}
		bytes := uint64(binary.BigEndian.Uint16(h[length6:])) + packet.IPv6Len
		b.Trim(int(bytes) + packet.EthernetLen)
		hop := hops.Of(side.Hop)
		if e.NetEpoch != w.short.epoch || hop.Exit() < w.short.last || !hop.Fits(bytes) || h[ttl6] <= 1 || side.Counts.Full() {
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
			ip.DecrementHopLimit()
			continue
		}
		_, l4Delta := e.Deltas(dir)
		ip.ForwardReversed(&e.Addrs[dir^1])
		if out := bits.RotateLeft32(e.Sides[dir^1].Ports, 16); e.Proto == packet.ProtoTCP {
			b.TCP6().Rewrite(out, l4Delta)
		} else {
			(*packet.UDP)(h[at6:]).Rewrite(out, l4Delta)
		}
	}
}
