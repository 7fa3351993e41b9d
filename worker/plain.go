package worker

import (
	"encoding/binary"
	"math/bits"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// plain takes what nearly all packets are from lookup to transmit: plain ones of a
// known flow, whose next hop is resolved, untagged and takes their size, and who
// have the TTL for it. It leaves all others pending to search, miss and rewrite,
// which do the same and everything else (TestPlainAgrees), and returns how many
// packets it forwarded.
//
// Its loops are long, and what happens now and then (a full counter, a backend's
// first packet since the last publishing) is left, too: here a call that may
// happen costs as much as one that does.
//
// look are the TCP flags that tell a SYN of a known flow from a backend's SYN+ACK:
// it may open the flow anew, and what follows in the burst may belong to the new
// one. So it ends the walk, unless look is 0, when miss has seen to that.
func (w *Worker) plain(slots []slot, look uint8) (done int) {
	w.exits = exits{all: 1<<32 - 1}
	if w.four != 0 {
		done = w.plain4(slots, look)
	}
	if w.six != 0 {
		done += w.plain6(look)
	}
	return done
}

// Where the TTL and the TCP or UDP header of plain packets are.
const (
	ttl4 = packet.EthernetLen + 8
	ttl6 = packet.EthernetLen + 7
	at4  = packet.EthernetLen + packet.IPv4Len
	at6  = packet.EthernetLen + packet.IPv6Len
)

// plainNew is plain for the packets that have opened flows, if they are many: it
// takes another look at the whole burst.
func (w *Worker) plainNew(slots []slot) {
	if w.openings.opened < packet.BurstSize/8 {
		return
	}
	for i := range slots {
		if s := &slots[i]; s.verdict == packet.Pending {
			w.table.SetFound(&w.found, i, s.ref)
		} else {
			s.packet.Plain = 0
			w.six &^= 1 << i
		}
	}
	w.plain(slots, 0)
}

// plain4 forwards the plain IPv4 packets. There are not registers enough for all it
// knows of a packet: what is known early is written early.
func (w *Worker) plain4(slots []slot, look uint8) (done int) {
	net, now, n := w.snap.Net, w.table.Now(), min(len(slots), packet.BurstSize)
	for i := 0; i < n; i++ {
		s, ref := &w.slots[i], w.found.Refs[i]
		if s.packet.Plain != 4 || ref.IPv6() {
			continue
		}
		e, dir := w.found.Entry4(i), ref.Dir()
		side := &e.Sides[dir]
		if e.Addrs[dir] != s.packet.Addrs || side.Ports != s.packet.Ports || e.Proto != s.packet.Proto {
			continue
		}
		if s.packet.TCPFlags&packet.SYN != 0 && s.packet.TCPFlags&look == packet.SYN {
			break
		}
		hop := net.Hops.Of(side.Hop)
		b, bytes := w.in[i], uint32(s.packet.End)-packet.EthernetLen
		h := b.Head()
		if hop.DstSrc == 0 || e.NetEpoch != net.Epoch || !hop.Untagged(len(w.out)) || h[ttl4] <= 1 || !hop.Fits(bytes) || side.Full() {
			continue
		}
		l := &w.load[e.Backend]
		if l.mark != counted {
			continue
		}
		if e.Mode == service.ModeTun {
			if w.tunnel(s, b, &e.Common, ref, hop) {
				done++
			}
			continue
		}
		w.leave(s, h, hop)
		e.LastSeen = now
		side.Count(bytes)
		l.count(dir, bytes)
		done++
		b.Trim(int(s.packet.End))
		if e.Mode == service.ModeDR {
			(*packet.IPv4)(h[packet.EthernetLen:]).DecrementTTL()
		} else {
			ipDelta, l4Delta := e.Deltas(dir)
			(*packet.IPv4)(h[packet.EthernetLen:]).Forward(bits.RotateLeft64(e.Addrs[dir^1], 32), ipDelta)
			if out := bits.RotateLeft32(e.Sides[dir^1].Ports, 16); s.packet.Proto == packet.ProtoTCP {
				(*packet.TCP)(h[at4:]).Rewrite(out, l4Delta)
			} else {
				(*packet.UDP)(h[at4:]).Rewrite(out, l4Delta)
			}
		}
		if moves(&e.Common, s.packet.TCPFlags) {
			w.track(&e.Common, ref.Index(), ref.Dir(), s.packet.TCPFlags)
		}
	}
	return done
}

// plain6 is plain4 for IPv6.
func (w *Worker) plain6(look uint8) (done int) {
	net, now := w.snap.Net, w.table.Now()
	for left := w.six; left != 0; left &= left - 1 {
		i := bits.TrailingZeros64(left) % packet.BurstSize
		s, ref, b := &w.slots[i], w.found.Refs[i], w.in[i]
		e, dir, h := w.table.Entry6(ref), ref.Dir(), b.Head6()
		ip := (*packet.IPv6)(h[packet.EthernetLen:])
		if e == nil || !ip.HasAddrs(&e.Addrs[dir]) {
			continue
		}
		side := &e.Sides[dir]
		if side.Ports != s.packet.Ports || e.Proto != s.packet.Proto {
			continue
		}
		if s.packet.TCPFlags&packet.SYN != 0 && s.packet.TCPFlags&look == packet.SYN {
			break
		}
		hop := net.Hops.Of(side.Hop)
		bytes := uint32(s.packet.End) - packet.EthernetLen
		if hop.DstSrc == 0 || e.NetEpoch != net.Epoch || !hop.Untagged(len(w.out)) || h[ttl6] <= 1 || !hop.Fits(bytes) || side.Full() {
			continue
		}
		l := &w.load[e.Backend]
		if l.mark != counted {
			continue
		}
		if e.Mode == service.ModeTun {
			if w.tunnel(s, b, &e.Common, ref, hop) {
				done++
			}
			continue
		}
		w.leave(s, (*[packet.PlainLen]byte)(h[:]), hop)
		e.LastSeen = now
		side.Count(bytes)
		l.count(dir, bytes)
		done++
		b.Trim(int(s.packet.End))
		if e.Mode == service.ModeDR {
			ip.DecrementHopLimit()
		} else {
			_, l4Delta := e.Deltas(dir)
			ip.ForwardReversed(&e.Addrs[dir^1])
			if out := bits.RotateLeft32(e.Sides[dir^1].Ports, 16); e.Proto == packet.ProtoTCP {
				b.TCP6().Rewrite(out, l4Delta)
			} else {
				(*packet.UDP)(h[at6:]).Rewrite(out, l4Delta)
			}
		}
		if moves(&e.Common, s.packet.TCPFlags) {
			w.track(&e.Common, ref.Index(), ref.Dir(), s.packet.TCPFlags)
		}
	}
	return done
}

// tunnel is the rest of plain4 and plain6 for a packet of a tun flow, in a function of
// its own because the call in it would have them keep everything in memory.
func (w *Worker) tunnel(s *slot, b *packet.Buf, c *flow.Common, ref flow.Ref, hop service.Hop) bool {
	bytes, dir := uint32(s.packet.End)-packet.EthernetLen, ref.Dir()
	w.ident++
	h := modes.TunPlain(b, &s.packet, &w.snap.Backends.At(uint32(c.Backend)).Outer, hop.MTU(), w.ident)
	if h == nil {
		return false
	}
	w.leave(s, h, hop)
	c.LastSeen = w.table.Now()
	c.Sides[dir].Count(bytes)
	w.load[c.Backend].count(dir, bytes)
	if moves(c, s.packet.TCPFlags) {
		w.track(c, ref.Index(), dir, s.packet.TCPFlags)
	}
	return true
}

// leave writes the Ethernet addresses and sets where the packet leaves.
func (w *Worker) leave(s *slot, h *[packet.PlainLen]byte, hop service.Hop) {
	binary.LittleEndian.PutUint64(h[0:], hop.DstSrc)
	binary.LittleEndian.PutUint32(h[8:], hop.Src())
	port := hop.UntaggedPort()
	s.port, s.verdict = port, packet.Forwarded
	w.exits.any |= uint32(port)
	w.exits.all &= uint32(port)
}

// exits are the ports of the packets that plain forwarded: both are the same when it
// was but one.
type exits struct{ any, all uint32 }

// moves says whether a packet with these flags may change the flow's state: in
// ESTABLISHED, ACK alone does not.
func moves(c *flow.Common, flags uint8) bool {
	const which = packet.SYN | packet.FIN | packet.RST | packet.ACK
	return c.Proto == packet.ProtoTCP && (c.State != flow.StateEstablished || flags&which != packet.ACK)
}
