package worker

import (
	"encoding/binary"
	"math/bits"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// tunnels forwards what forward4 and forward6 leave to it: plain packets of known tun
// flows.
func (w *Worker) tunnels(packets uint64) (done uint64) {
	for ; packets != 0; packets &= packets - 1 {
		i := bits.TrailingZeros64(packets) % packet.BurstSize
		h, bytes, ttl := w.in[i].Head(), uint64(0), uint8(0)
		c, six := &w.found.Entry4(i).Common, w.found.Refs[i].IPv6()
		if six {
			c, bytes, ttl = &w.found.Entry6(i).Common, uint64(binary.BigEndian.Uint16(h[length6:]))+packet.IPv6Len, h[ttl6]
		} else {
			bytes, ttl = uint64(binary.BigEndian.Uint16(h[length4:])), h[ttl4]
		}
		if ttl > 1 && w.tunnel(i, c, bytes, six) {
			done |= 1 << i
		}
	}
	return done
}

// tunnel forwards a packet of that many bytes. Common is its flow's.
func (w *Worker) tunnel(i int, c *flow.Common, bytes uint64, six bool) bool {
	net, ref, b, last := w.snap.Net, w.found.Refs[i], w.in[i], service.ExitOf(uint16(len(w.out)-1))
	dir := ref.Dir()
	side, l := &c.Sides[dir], &w.load[c.Backend]
	hop, counts := net.Hops.Of(side.Hop), side.Counts
	if c.NetEpoch != net.Epoch || hop.Exit() < last || counts.Full() || l.mark != counted {
		return false
	}
	flags := b.Head()[flags4]
	if six && c.Proto == packet.ProtoTCP {
		flags = b.TCP6().Flags()
	}
	w.ident++
	h := modes.TunPlain(b, uint16(bytes), six, &w.snap.Backends.At(uint32(c.Backend)).Outer, hop.MTU(), w.ident)
	if h == nil {
		return false
	}
	w.leaves[i] = hop.Exit()
	w.exits.any |= uint32(hop.Exit())
	w.exits.all &= uint32(hop.Exit())
	binary.LittleEndian.PutUint64(h[0:], hop.DstSrc)
	binary.LittleEndian.PutUint32(h[8:], hop.Src())
	c.LastSeen = w.table.Now()
	side.Counts = counts.Plus(bytes)
	l.count(dir, bytes)
	if c.Proto == packet.ProtoTCP && moves(c.State, flags) {
		w.track(c, ref.Index(), dir, flags)
	}
	return true
}
