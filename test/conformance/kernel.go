package conformance

import (
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// kernelCases: frames that the gateway's kernel gets, unchanged, behind the
// port where they came in; and those it sends.
func kernelCases() []Case {
	svcs := services(dr(frame.UDP, rip1), fullnat(frame.TCP, rip1))
	given := func(name string, class packet.KernelClass, in ...Frame) Case {
		return Case{
			Name: "kernel: " + name, Services: svcs,
			Steps:    []Step{{In: in, Kernel: kernel(class, in)}},
			Verdicts: Verdicts{packet.Kernel: uint64(len(in))},
		}
	}
	udp, tcp := request(frame.UDP), request(frame.TCP)
	to := func(p frame.Packet, addr string, port uint16) frame.Packet {
		p.Dst, p.DstPort = addr, port
		return p
	}
	ping := with(udp, func(p *frame.Packet) { p.Proto, p.Payload = frame.ICMP, []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0} })
	arp := append([]byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 1, 1, 8, 6}, make([]byte, 46)...)
	return []Case{
		given("unknown destination", packet.ClassOther, atClients(to(tcp, "198.51.100.3", 22), with(to(udp, "198.51.100.3", 53), padded, ttl(1)))...),
		given("other port of a VIP", packet.ClassOther, atClients(to(tcp, vip, 22), to(udp, vip, 81), to(udp, vip, 8443))...),
		given("other protocol of a VIP", packet.ClassOther, atClients(ping)...),
		given("ports of a local address below the pool", packet.ClassOther, atBackends(reply(frame.TCP, 1, 22), reply(frame.UDP, 1, 1023))...),
		given("BGP", packet.ClassRouting, atClients(to(tcp, vip, 179), to(tcp, "198.51.100.3", 179))...),
		given("TCP to a service without flow and SYN", packet.ClassOther, atClients(
			with(tcp, flags(frame.ACK)), with(tcp, flags(frame.FIN|frame.ACK)), with(tcp, flags(frame.RST)),
			with(tcp, flags(frame.SYN|frame.RST)), with(tcp, flags(0)))...),
		given("fragments to others", packet.ClassOther, atClients(
			with(to(udp, "198.51.100.3", 53), func(p *frame.Packet) { p.MF = true }),
			with(to(tcp, "198.51.100.3", 53), func(p *frame.Packet) { p.Offset = 9 }))...),
		given("ARP", packet.ClassNeighbour, raw(world.Backends, arp)...),
		given("multicast", packet.ClassOther, atClients(with(to(udp, "224.0.0.251", 5353), func(p *frame.Packet) { p.DstMAC = frame.MAC{1, 0, 0x5e, 0, 0, 251} }))...),
		sent(),
	}
}

// sent: the kernel's frames leave as they are, padding and TTL 1 included.
func sent() Case {
	bgp := with(request(frame.TCP), ttl(1), padded).Back()
	arp := append([]byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6}, make([]byte, 46)...)
	out := append(atClients(bgp), raw(world.Backends, arp)...)
	return Case{
		Name: "kernel: sends", Services: services(dr(frame.TCP, rip1)),
		Steps: []Step{{Sent: out, Out: out}}, Verdicts: Verdicts{packet.FromKernel: 2},
	}
}

// kernel marks frames with the class in which the kernel gets them.
func kernel(class packet.KernelClass, frames []Frame) (out []Frame) {
	for _, f := range frames {
		f.Class = class
		out = append(out, f)
	}
	return out
}

// reroute sends 10.0.0.1 to where 10.0.0.7 is and the clients behind 10.0.0.5.
func reroute(n *world.Network) {
	n.Routes[prefix("10.0.0.1/32")] = service.Route{Via: []service.NextHopID{n.Neighbours[world.Neighbour(7)]}}
	n.Routes[prefix("203.0.113.0/24")] = service.Route{Via: []service.NextHopID{n.Neighbours[world.Neighbour(5)]}}
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }
