package modes

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// An ICMP error about a packet of a nat or fullnat flow quotes the packet as we
// sent it. Whom it is for knows it as they sent it, so the quoted addresses and
// ports are translated back: that is the flow's other tuple as it stands, where
// a packet takes it reversed, and the same delta.
//
//	towards the backend: VIP,CIP in the quote become RIP,LIP (nat: RIP,CIP)
//	towards the client:  LIP,RIP in the quote become CIP,VIP
//
// The error itself goes on to the backend from LIP (nat: from whoever sent it),
// to the client from VIP, as with IPVS.

// NATError4 translates an ICMP error about a flow's packet. It reports false,
// and changes nothing, when the error's own checksum is wrong: repairing it
// would hide the damage.
func NATError4(frame []byte, p *packet.Parsed, e *flow.Entry4, dir flow.Dir) bool {
	icmp := frame[p.L4:p.End]
	if packet.Sum(icmp) != 0xffff {
		return false
	}
	quote := e.Tuple(dir.Other())
	ipDelta, l4Delta := e.Deltas(dir)
	addrs := quote.Reverse().Addrs
	ip := packet.IPv4At(frame, p.L3)
	if dir == flow.Request && e.Mode == service.ModeNAT {
		addrs = addrs&^0xffffffff | ip.AddrsRaw()&0xffffffff
	}
	ip.Forward(addrs, packet.Delta(ip.AddrsRaw(), addrs))
	(*packet.IPv4)(frame[p.Quoted():]).Readdress(quote.Addrs, ipDelta)
	requote(frame[p.QuotedL4:p.End], p.Proto, quote.Ports, l4Delta)
	sealICMP4(icmp)
	return true
}

// NATError6 is NATError4 for IPv6.
func NATError6(frame []byte, p *packet.Parsed, e *flow.Entry6, dir flow.Dir) bool {
	icmp, ip := frame[p.L4:p.End], packet.IPv6At(frame, p.L3)
	if sumICMP6(ip, icmp) != 0xffff {
		return false
	}
	quote := e.Tuple(dir.Other())
	_, l4Delta := e.Deltas(dir)
	addrs := quote.Reverse().Addrs
	if dir == flow.Request && e.Mode == service.ModeNAT {
		old := ip.AddrsRaw()
		addrs[0], addrs[1] = old[0], old[1]
	}
	ip.Forward(&addrs)
	(*packet.IPv6)(frame[p.Quoted():]).SetAddrs(&quote.Addrs)
	requote(frame[p.QuotedL4:p.End], p.Proto, quote.Ports, l4Delta)
	sealICMP6(ip, icmp)
	return true
}

// requote stores the ports of the quoted TCP or UDP header, and updates its
// checksum if the quote reaches that far.
func requote(l4 []byte, proto uint8, ports uint32, delta uint16) {
	if proto == packet.ProtoUDP {
		(*packet.UDP)(l4).Rewrite(ports, delta)
		return
	}
	if len(l4) >= packet.TCPLen {
		(*packet.TCP)(l4).Rewrite(ports, delta)
		return
	}
	binary.LittleEndian.PutUint32(l4, ports)
}
