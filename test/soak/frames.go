package main

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/sluice-lb/sluice/test/conformance"
	"github.com/sluice-lb/sluice/test/conformance/frame"
)

// forge makes hostile frames for one port of the gateway. Their sources are
// strangers and ghosts, never anybody whose traffic is real: what a frame does to
// its own flow is no failure.
type forge struct {
	lab      *lab
	back     bool
	own, gw  [6]byte
	prepared []conformance.Frame
	real     [][]byte // addresses of those whose traffic is real
}

func newForge(l *lab, side int, own, gw [6]byte) *forge {
	f := &forge{lab: l, back: side == 1, own: own, gw: gw}
	for _, host := range []string{"client", "rs1", "rs2"} {
		f.real = append(f.real, l.addr(host, "4").AsSlice(), l.addr(host, "6").AsSlice())
	}
	for _, c := range conformance.Cases() {
		for _, step := range c.Steps {
			f.prepared = append(f.prepared, step.In...)
		}
	}
	return f
}

// kinds are what a forge makes.
var kinds = []struct {
	name string
	make func(f *forge, r *rand.Rand) []byte
}{
	{"conformance", (*forge).conformance},
	{"conformance, mutated", func(f *forge, r *rand.Rand) []byte { return mutate(r, f.conformance(r)) }},
	{"valid", func(f *forge, r *rand.Rand) []byte { return f.packet(r).Bytes() }},
	{"valid, mutated", func(f *forge, r *rand.Rand) []byte { return mutate(r, f.packet(r).Bytes()) }},
	{"SYN flood", (*forge).syn},
	{"UDP flood", (*forge).datagram},
	{"fragments", (*forge).fragment},
	{"ICMP errors", (*forge).report},
	{"ICMP errors, mutated", func(f *forge, r *rand.Rand) []byte { return mutate(r, f.report(r)) }},
	{"VLAN tags", (*forge).tagged},
	{"noise", (*forge).noise},
}

// frame makes a frame of a kind, "" for any.
func (f *forge) frame(r *rand.Rand, kind string) (string, []byte) {
	chosen := kinds[r.IntN(len(kinds))]
	for _, k := range kinds {
		if k.name == kind {
			chosen = k
		}
	}
	for {
		if frame := chosen.make(f, r); !f.isReal(frame) {
			return chosen.name, frame
		}
	}
}

// isReal: chance has put the address of somebody whose traffic is real into a
// frame, as source, in an ARP packet or in what an error quotes.
func (f *forge) isReal(frame []byte) bool {
	return slices.ContainsFunc(f.real, func(addr []byte) bool { return bytes.Contains(frame, addr) })
}

// stranger is a source: a ghost in the gateway's network, who answers no ARP, or
// somebody far away.
func (f *forge) stranger(r *rand.Rand, family string) string {
	if f.back {
		return f.lab.ghost(r, "back", family)
	}
	if r.IntN(4) == 0 {
		return f.lab.ghost(r, "front", family)
	}
	a := netip.MustParsePrefix(strangers[family]).Addr().AsSlice()
	binary.BigEndian.PutUint16(a[len(a)-2:], uint16(r.Uint32()))
	addr, _ := netip.AddrFromSlice(a)
	return addr.String()
}

// target is an address and a port of the gateway's.
func (f *forge) target(r *rand.Rand, family string) (string, uint16) {
	names := []string{"vip-dr", "vip-nat", "vip-fullnat", "vip-tun", "vip-mixed", "local", "gw", "gw-back"}
	ports := []uint16{webPort, echoPort, longPort, modePort, localPort, gonePort, uint16(20000 + r.IntN(extras)), uint16(r.Uint32())}
	return f.lab.addr(names[r.IntN(len(names))], family).String(), ports[r.IntN(len(ports))]
}

var flagSets = []uint8{frame.SYN, frame.SYN, frame.ACK, frame.ACK | frame.PSH, frame.FIN | frame.ACK, frame.RST, frame.SYN | frame.ACK, 0, 0xff}

// packet is a good one from a stranger.
func (f *forge) packet(r *rand.Rand) frame.Packet {
	family := family(r)
	p := frame.Packet{SrcMAC: f.own, DstMAC: f.gw, Src: f.stranger(r, family), Proto: []uint8{frame.TCP, frame.UDP}[r.IntN(2)],
		// Few ports, so that packets meet flows of others.
		SrcPort: uint16(1024 + r.IntN(64)), Flags: flagSets[r.IntN(len(flagSets))], Seq: r.Uint32(), TTL: []uint8{64, 64, 64, 1, 2, 255}[r.IntN(6)],
		ID: uint16(r.Uint32()), DF: r.IntN(2) == 0, Payload: make([]byte, r.IntN(3)*r.IntN(480))}
	p.Dst, p.DstPort = f.target(r, family)
	return p
}

// syn opens a connection, mostly at a web server.
func (f *forge) syn(r *rand.Rand) []byte {
	p := f.packet(r)
	p.Proto, p.Flags, p.SrcPort, p.TTL, p.Payload = frame.TCP, frame.SYN, uint16(r.Uint32()), 64, nil
	if r.IntN(4) > 0 {
		p.DstPort = webPort
	}
	return p.Bytes()
}

func (f *forge) datagram(r *rand.Rand) []byte {
	p := f.packet(r)
	p.Proto, p.SrcPort, p.TTL = frame.UDP, uint16(r.Uint32()), 64
	return p.Bytes()
}

func (f *forge) fragment(r *rand.Rand) []byte {
	p := f.packet(r)
	p.DF, p.MF, p.Offset, p.Payload = false, r.IntN(2) == 0, uint16(r.IntN(3)*r.IntN(8000)), make([]byte, 8*r.IntN(100))
	return p.Bytes()
}

// report is an error about a reply that a stranger could have got.
func (f *forge) report(r *rand.Rand) []byte {
	quote := f.packet(r)
	e := frame.ICMPError{Type: 3, Code: uint8(r.IntN(6)), MTU: uint16(r.IntN(1600))}
	if quote.IsIPv6() {
		e.Type, e.Code = uint8(1+r.IntN(4)), uint8(r.IntN(4))
	} else if r.IntN(3) == 0 {
		e.Type, e.Code = 11, 0
	}
	from, to := quote.Src, quote.Dst
	quote.Src, quote.Dst, quote.SrcPort, quote.DstPort = to, from, quote.DstPort, quote.SrcPort
	return frame.Report{SrcMAC: f.own, DstMAC: f.gw, Src: from, Dst: to, Error: e, Quote: quote, Cut: r.IntN(2) * (1 + r.IntN(60))}.Bytes()
}

func (f *forge) tagged(r *rand.Rand) []byte {
	p := f.packet(r)
	p.VLAN, p.Priority = uint16(r.IntN(2)*r.IntN(4095)), true
	b := p.Bytes()
	if r.IntN(3) == 0 { // another tag around it
		b = append(append(b[:12:12], 0x88, 0xa8, 0, byte(r.Uint32())), b[12:]...)
	}
	return b
}

func (f *forge) noise(r *rand.Rand) []byte {
	b := append(append([]byte{}, f.gw[:]...), f.own[:]...)
	b = append(b, [][]byte{{8, 0}, {0x86, 0xdd}, {0x81, 0}, {0x88, 0xcc}}[r.IntN(4)]...)
	for range r.IntN(200) {
		b = append(b, byte(r.Uint32()))
	}
	return b
}

// conformance is a frame of the table, at the lab's addresses.
func (f *forge) conformance(r *rand.Rand) []byte {
	c := f.prepared[r.IntN(len(f.prepared))]
	if c.Raw != nil {
		out := append([]byte(nil), c.Raw...)
		if len(out) >= 12 && out[0]&1 == 0 {
			copy(out, f.gw[:])
			copy(out[6:], f.own[:])
		}
		return out
	}
	f.move(r, &c.Packet)
	if c.Report != nil {
		moved := *c.Report
		moved.SrcMAC, moved.DstMAC = f.own, f.gw
		f.move(r, &moved.Quote)
		moved.Src, moved.Dst = moved.Quote.Dst, moved.Quote.Src
		c.Report = &moved
	}
	var ports conformance.Locals
	for i := range ports {
		ports[i] = uint16(1024 + r.IntN(64000))
	}
	return c.Bytes(&ports)
}

// move puts a packet of the table's world into the lab. What is wrong with its
// addresses stays wrong.
func (f *forge) move(r *rand.Rand, p *frame.Packet) {
	if p.Src == "" {
		return // there is none
	}
	family := "4"
	if p.IsIPv6() {
		family = "6"
	}
	target, _ := f.target(r, family)
	for _, addr := range []*string{&p.Src, &p.Dst} {
		switch *addr {
		case "203.0.113.7", "2001:db8:7::7": // the client's
			*addr = f.stranger(r, family)
		case "192.0.2.10", "2001:db8:10::10", "10.0.0.200", "fd00::200": // the virtual and the local address
			*addr = target
		}
	}
	p.SrcMAC = f.own
	if p.DstMAC[0]&1 == 0 {
		p.DstMAC = f.gw
	}
}
