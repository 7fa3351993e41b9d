package worker

import (
	"math/bits"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// plain takes what nearly all packets are from lookup to transmit: plain ones, four
// and six by their families, of a known flow, whose next hop is resolved, untagged
// and takes their size, and who have the TTL for it. It leaves all others to search,
// miss and rewrite, which do the same and everything else (TestPlainAgrees), and
// returns those that it forwarded.
//
// Its loops, forward4 and forward6, are long and call nothing, so that what they know
// stays in registers: here a call that may happen costs as much as one that does.
// What may need one ends them, and they are begun again behind it.
//
// look are the TCP flags that tell a SYN of a known flow from a backend's SYN+ACK:
// it may open the flow anew, and what follows in the burst may belong to the new
// one. So it ends the walk, unless look is 0, when miss has seen to that.
func (w *Worker) plain(four, six uint64, look uint8) (done uint64) {
	w.short.begin(w, look)
	for four != 0 {
		w.forward4(four)
		done |= w.finished(&four)
	}
	for six != 0 {
		w.forward6(six)
		done |= w.finished(&six)
	}
	return done
}

// short is what the loops of plain go by, and what they say: sets of packets are a bit
// for each.
type short struct {
	look  uint8        // see plain
	last  service.Exit // the lowest that there is
	epoch uint32       // service.Net.Epoch
	now   uint32       // flow.Table.Now

	left    uint64 // to others
	tunnels uint64 // to the loop for them
	moving  uint64 // one that may change its flow's state; what is behind it was not looked at
	flags   uint8  // its TCP flags

	exits    [packet.BurstSize]service.Exit // of packets that were forwarded
	any, all uint32                         // these exits together: both are the same when it was but one
}

func (s *short) begin(w *Worker, look uint8) {
	net := w.snap.Net
	s.look, s.last, s.epoch, s.now = look, service.ExitOf(uint16(len(w.out)-1)), net.Epoch, w.table.Now()
	s.any, s.all = 0, 1<<16-1
}

// leave notes where packet i, which is forwarded, leaves.
func (s *short) leave(i int, exit service.Exit) {
	s.exits[i%packet.BurstSize] = exit
	s.any |= uint32(exit)
	s.all &= uint32(exit)
}

// finished ends what forward4 or forward6 have done for packets: it forwards the
// tunnels', follows the moving packet's connection, returns what was forwarded and
// leaves in packets what is behind.
func (w *Worker) finished(packets *uint64) (done uint64) {
	moving, tunnels := w.short.moving, w.short.tunnels
	walked := *packets & (moving<<1 - 1) // without a moving packet all
	*packets &^= walked
	done = walked&^(w.short.left|tunnels) | w.tunnels(tunnels)
	w.short.left, w.short.tunnels, w.short.moving = 0, 0, 0
	if done&moving != 0 {
		ref := w.found.Refs[bits.TrailingZeros64(moving)%packet.BurstSize]
		w.track(w.table.Common(ref.Index()), ref.Index(), ref.Dir(), w.short.flags)
	}
	return done
}

// Where the IP packet's length, the TTL, the TCP or UDP header and TCP's flags of plain
// packets are.
const (
	length4 = packet.EthernetLen + 2
	length6 = packet.EthernetLen + 4
	ttl4    = packet.EthernetLen + 8
	ttl6    = packet.EthernetLen + 7
	proto4  = packet.EthernetLen + 9
	proto6  = packet.EthernetLen + 6
	addrs4  = packet.EthernetLen + 12
	at4     = packet.EthernetLen + packet.IPv4Len
	at6     = packet.EthernetLen + packet.IPv6Len
	flags4  = at4 + 13
)

// plainNew is plain for the packets that have opened flows, if they are many: it
// takes another look at the whole burst.
func (w *Worker) plainNew(slots []slot) {
	if w.openings.opened < packet.BurstSize/8 {
		return
	}
	var pending uint64
	for i := range slots {
		if s := &slots[i]; s.verdict == packet.Pending {
			w.table.SetFound(&w.found, i, s.ref)
			pending |= 1 << i
		}
	}
	w.settle(slots, w.plain(w.four&pending, w.six&pending, 0))
}

// settle notes in the slots what plain did.
func (w *Worker) settle(slots []slot, done uint64) {
	for ; done != 0; done &= done - 1 {
		i := bits.TrailingZeros64(done) % packet.BurstSize
		slots[i].verdict, slots[i].port = packet.Forwarded, w.short.exits[i].Port()
	}
}

// moves says whether a TCP packet with these flags may change the flow's state: in
// ESTABLISHED, ACK alone does not.
func moves(state flow.State, flags uint8) bool {
	const which = packet.SYN | packet.FIN | packet.RST | packet.ACK
	return state != flow.StateEstablished || flags&which != packet.ACK
}

// begins says whether a TCP packet of a known flow may open it anew, see plain.
func begins(flags, look uint8) bool { return flags&packet.SYN != 0 && flags&look == packet.SYN }
