package worker

import (
	"encoding/binary"
	"math/bits"

	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
)

// tunnels forwards what forward4 and forward6 leave to it, plain packets of known tun
// flows: modes.Tun at fixed offsets. It calls nothing, as they.
func (w *Worker) tunnels(packets uint64) (done uint64) {
	hops := w.snap.Net.Hops
	for ; packets != 0; packets &= packets - 1 {
		i := bits.TrailingZeros64(packets) % packet.BurstSize
		ref, b := w.found.Refs[i], w.in[i]
		inside, c, bytes, ttl := b.Head(), &w.found.Entry4(i).Common, uint64(0), uint8(0)
		if ref.IPv6() {
			c = &w.found.Entry6(i).Common
			bytes, ttl = uint64(binary.BigEndian.Uint16(inside[length6:]))+packet.IPv6Len, inside[ttl6]
		} else {
			bytes, ttl = uint64(binary.BigEndian.Uint16(inside[length4:])), inside[ttl4]
		}
		side, l, o := &c.Sides[ref.Dir()], &w.load[c.Backend], &w.outers[c.Backend]
		hop := hops.Of(side.Hop)
		if c.NetEpoch != w.short.epoch || hop.Exit() < w.short.last || ttl <= 1 || side.Counts.Full() || l.mark != counted && !w.mark(l, c.Backend) ||
			!b.Wrap(uint16(bytes+packet.EthernetLen), o.Size(), uint32(hop.MTU())+packet.EthernetLen) {
			continue
		}
		l.count(ref.Dir(), bytes)
		side.Counts = side.Counts.Plus(bytes)
		c.LastSeen = w.short.now
		w.short.leave(i, hop.Exit())
		w.ident++
		var first, fragment, life uint32
		if ref.IPv6() {
			first, fragment, life = modes.Inner6((*packet.IPv6)(inside[packet.EthernetLen:]), w.ident)
		} else {
			first, fragment, life = modes.Inner4((*packet.IPv4)(inside[packet.EthernetLen:]), w.ident)
		}
		h := b.Head()
		(*packet.Ethernet)(h[:]).SetAddresses(hop.DstSrc, hop.Src())
		binary.LittleEndian.PutUint16(h[12:], o.EtherType())
		if o.Size() == packet.IPv4Len {
			o.Put4((*packet.IPv4)(h[packet.EthernetLen:]), uint16(bytes), first, fragment, life)
		} else {
			o.Put6((*packet.IPv6)(h[packet.EthernetLen:]), uint16(bytes), first, life)
		}
		done |= packets & -packets
	}
	return done
}
