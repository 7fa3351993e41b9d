package conformance

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// The addresses of the cases.
const (
	cip  = "203.0.113.7"
	vip  = "192.0.2.10"
	lip  = "10.0.0.200"
	rip1 = "10.0.0.1"
	rip2 = "10.0.0.2"
	rip3 = "10.0.0.3"
	rip8 = "10.0.0.8" // reached with world.SmallMTU

	cport = 40001
	vport = 80
	rport = 8080
)

// dr and fullnat are services with these backends, oldest first.
func dr(proto uint8, backends ...string) world.Service {
	s := world.Service{Proto: proto, VIP: vip, Port: vport, Mode: service.ModeDR}
	for _, addr := range backends {
		s.Backends = append(s.Backends, world.Backend{Addr: addr})
	}
	return s
}

func fullnat(proto uint8, backends ...string) world.Service {
	s := dr(proto, backends...)
	s.Mode, s.Locals = service.ModeFullNAT, []string{lip}
	for i := range s.Backends {
		s.Backends[i].Port = rport
	}
	return s
}

func services(list ...world.Service) []world.Service { return list }

// change is a step's Configure.
func change(list ...world.Service) *[]world.Service { return &list }

// request is a client's packet as the router delivers it: a SYN when it is TCP.
func request(proto uint8) frame.Packet {
	p := frame.Packet{
		SrcMAC: world.RouterMAC, DstMAC: world.PortMAC(world.Clients), Src: cip, Dst: vip,
		Proto: proto, SrcPort: cport, DstPort: vport, ID: 0x1234, TOS: 0x28, Payload: []byte("request"),
	}
	if proto == frame.TCP {
		p.Flags, p.Seq = frame.SYN, 0x01020304
	}
	return p
}

// reply is what backend n sends to the local port.
func reply(proto uint8, n byte, local uint16) frame.Packet {
	p := frame.Packet{
		SrcMAC: world.BackendMAC(n), DstMAC: world.PortMAC(world.Backends), Src: world.Neighbour(int(n)).Addr.String(), Dst: lip,
		Proto: proto, SrcPort: rport, DstPort: local, ID: 0x4321, DF: true, Payload: []byte("a reply"),
	}
	if proto == frame.TCP {
		p.Flags = frame.SYN | frame.ACK
	}
	return p
}

// with is a packet changed.
func with(p frame.Packet, changes ...func(*frame.Packet)) frame.Packet {
	for _, change := range changes {
		change(&p)
	}
	return p
}

func flags(f uint8) func(*frame.Packet)     { return func(p *frame.Packet) { p.Flags = f } }
func from(port uint16) func(*frame.Packet)  { return func(p *frame.Packet) { p.SrcPort = port } }
func ttl(n uint8) func(*frame.Packet)       { return func(p *frame.Packet) { p.TTL = n } }
func sumError(n uint16) func(*frame.Packet) { return func(p *frame.Packet) { p.SumError = n } }
func payload(b []byte) func(*frame.Packet)  { return func(p *frame.Packet) { p.Payload = b } }
func noSum(p *frame.Packet)                 { p.NoSum = true }
func dontFragment(p *frame.Packet)          { p.DF = true }
func padded(p *frame.Packet)                { p.Padding = 11 }

// routed is a packet one hop further: new Ethernet addresses, TTL one less,
// padding gone.
func routed(p frame.Packet, port int, dst frame.MAC) frame.Packet {
	p.SrcMAC, p.DstMAC, p.Padding = world.PortMAC(port), dst, 0
	if p.TTL == 0 {
		p.TTL = 64
	}
	p.TTL--
	return p
}

// viaDR is a request as it must reach backend n in dr mode.
func viaDR(p frame.Packet, n byte) frame.Packet {
	return routed(p, world.Backends, world.BackendMAC(n))
}

// viaFullNAT is a request as it must reach backend n in fullnat mode, and
// replied a backend's packet as it must reach the client.
func viaFullNAT(p frame.Packet, n byte, local uint16) frame.Packet {
	p = viaDR(p, n)
	p.Src, p.SrcPort = lip, local
	p.Dst, p.DstPort = world.Neighbour(int(n)).Addr.String(), rport
	return p
}

func replied(p frame.Packet) frame.Packet {
	p = routed(p, world.Clients, world.RouterMAC)
	p.Src, p.SrcPort, p.Dst, p.DstPort = vip, vport, cip, cport
	return p
}

// atClients are frames on the port towards the clients, atBackends on the other.
func atClients(packets ...frame.Packet) []Frame  { return frames(world.Clients, packets) }
func atBackends(packets ...frame.Packet) []Frame { return frames(world.Backends, packets) }

func frames(port int, packets []frame.Packet) (out []Frame) {
	for _, p := range packets {
		out = append(out, Frame{Port: port, Packet: p})
	}
	return out
}

// zeroSum is a packet with a payload for which the UDP checksum computes to 0,
// so that it goes out as 0xffff.
func zeroSum(p frame.Packet) frame.Packet {
	p.Payload = []byte{0, 0}
	b := p.Bytes()
	at := frame.L4(b) + 6
	p.Payload = b[at : at+2] // what the sum lacks to be all ones
	if b = p.Bytes(); binary.BigEndian.Uint16(b[at:]) != 0xffff {
		panic("conformance: zeroSum: the checksum does not compute to 0")
	}
	return p
}
