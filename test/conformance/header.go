package conformance

import (
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// headerCases: IPv4 options and IPv6 extension headers stay as they are.
func headerCases() (all []Case) {
	chains := map[string][]frame.Extension{
		"hop-by-hop":          {frame.Options(frame.HopByHop, 8)},
		"destination options": {frame.Options(frame.Destination, 264)},
		"routing at its end":  {frame.RoutingHeader(4, 0)},
		"atomic fragment":     {frame.FragmentHeader(0, false, 77)},
		"all of them":         {frame.Options(frame.HopByHop, 24), frame.Options(frame.Destination, 8), frame.RoutingHeader(2, 0), frame.FragmentHeader(0, false, 1), frame.Options(frame.Destination, 16)},
	}
	for _, mode := range onePort {
		for _, proto := range []uint8{frame.TCP, frame.UDP} {
			prefix := "header " + mode.String() + " " + protos[proto] + ", "
			all = append(all, thereAndBack(prefix+"IPv4 options", ip4, mode, proto, recordRoute))
			for name, chain := range chains {
				all = append(all, thereAndBack(prefix+name, ip6, mode, proto, extensions(chain...)))
			}
		}
	}
	return append(all, badChains(), fragments6(), kernelsChains())
}

// badChains: type 0 routing, and chains that end beyond the packet.
func badChains() Case {
	udp := ip6.request(frame.UDP)
	long := frame.Options(frame.Destination, 16)
	long.Data[0] = 40 // of 328 bytes
	var nine []frame.Extension
	for range 9 {
		nine = append(nine, frame.Options(frame.Destination, 8))
	}
	jumbogram := with(udp, extensions(frame.Extension{Kind: frame.HopByHop, Data: []byte{0, 0xc2, 4, 0, 1, 0, 0}})).Bytes()
	jumbogram[18], jumbogram[19] = 0, 0 // payload length (RFC 2675)
	return Case{
		Name: "header ipv6, bad chains", Services: services(ip6.service(service.ModeDR, frame.UDP, 1)),
		Steps: []Step{{In: append(
			atClients(with(udp, extensions(frame.RoutingHeader(0, 0))), with(udp, extensions(frame.RoutingHeader(0, 1)))),
			raw(world.Clients, with(udp, extensions(long)).Bytes(), with(udp, extensions(nine...)).Bytes(), jumbogram)...)}},
		Verdicts: Verdicts{packet.DropSourceRoute: 2, packet.DropBadIPHeader: 3},
	}
}

// fragments6: to a service dropped by name, whatever their header says to be
// behind it.
func fragments6() Case {
	udp := ip6.request(frame.UDP)
	first := func(p *frame.Packet) { p.MF = true }
	later := func(p *frame.Packet) { p.Offset = 9 }
	within := with(udp, extensions(frame.FragmentHeader(9, false, 5), frame.Options(frame.Destination, 8)))
	others := atClients(with(udp, later, func(p *frame.Packet) { p.Dst = "2001:db8:99::1" }), with(udp, later, func(p *frame.Packet) { p.Proto = 58 }))
	return Case{
		Name: "header ipv6, fragments", Services: services(ip6.service(service.ModeNAT, frame.UDP, 1)),
		Steps: []Step{{
			In:     append(atClients(with(udp, first), with(udp, later), within), others...),
			Kernel: kernel(packet.ClassOther, others),
		}},
		Verdicts: Verdicts{packet.DropFragment: 3, packet.Kernel: 2},
	}
}

// kernelsChains: what is routed on, and what has no TCP or UDP behind its
// headers.
func kernelsChains() Case {
	udp := ip6.request(frame.UDP)
	in := atClients(
		with(udp, extensions(frame.RoutingHeader(4, 1))), with(udp, extensions(frame.Options(frame.HopByHop, 8)), proto(frame.NoNext)),
		with(udp, proto(51)), with(udp, proto(135)), with(udp, proto(frame.ICMP)))
	return Case{
		Name: "header ipv6, the kernel's", Services: services(ip6.service(service.ModeDR, frame.UDP, 1)),
		Steps: []Step{{In: in, Kernel: kernel(packet.ClassOther, in)}}, Verdicts: Verdicts{packet.Kernel: 5},
	}
}

func proto(n uint8) func(*frame.Packet) { return func(p *frame.Packet) { p.Proto = n } }
