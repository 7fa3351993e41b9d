package conformance

import (
	"fmt"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// vlanCases: frames come with or without a tag and leave with that of the next hop.
func vlanCases() (all []Case) {
	tags := []struct {
		name string
		tag  func(*frame.Packet)
	}{
		{"untagged", func(*frame.Packet) {}},
		{"priority", func(p *frame.Packet) { p.Priority = true }},
		{"VLAN 30", vlan(world.VLANClients)},
	}
	for _, f := range families {
		for _, mode := range onePort {
			for _, tag := range tags {
				for n, id := range map[int]uint16{1: 0, 21: world.VLAN21, 22: world.VLAN22} {
					name := fmt.Sprintf("vlan %v %s, %s to %d", mode, f.name, tag.name, id)
					all = append(all, vlanCase(name, f, mode, tag.tag, n, id))
				}
			}
		}
		for _, tag := range tags {
			all = append(all, vlanAnswer("vlan "+f.name+", answer, "+tag.name, f, tag.tag))
		}
	}
	return append(all, vlanStrangers())
}

func vlan(id uint16) func(*frame.Packet) { return func(p *frame.Packet) { p.VLAN = id } }

// vlanCase: the client is behind VLAN 30, whatever its frame had; the backend in
// VLAN id.
func vlanCase(name string, f family, mode service.Mode, tag func(*frame.Packet), n int, id uint16) Case {
	f.cip = map[string]string{ip4.name: "198.18.0.7", ip6.name: "2001:db8:18::7"}[f.name]
	in := with(f.request(frame.UDP), tag)
	there := with(f.there(mode, with(in, untagged), n), vlan(id))
	c := Case{
		Name: name, Services: services(f.service(mode, frame.UDP, n)), Verdicts: Verdicts{packet.Forwarded: 1},
		Steps: []Step{{In: atClients(in), Out: atBackends(there)}},
	}
	if translates(mode) {
		back := f.reply(mode, frame.UDP, n)
		c.Steps = append(c.Steps, Step{In: atBackends(with(back, vlan(id), padded)), Out: atClients(with(f.back(back), vlan(world.VLANClients)))})
		c.Verdicts[packet.Forwarded]++
	}
	return c
}

func untagged(p *frame.Packet) { p.VLAN, p.Priority = 0, false }

// vlanAnswer: the gateway's errors go back in the VLAN that the packet came from.
func vlanAnswer(name string, f family, tag func(*frame.Packet)) Case {
	in := with(f.request(frame.TCP), tag)
	e := answerOf(f, portUnreachable)
	return Case{
		Name: name, Services: services(f.service(service.ModeDR, frame.TCP)),
		Steps:    []Step{{In: atClients(in), Out: []Frame{{Port: world.Clients, Packet: in, Error: &e}}}},
		Verdicts: Verdicts{packet.AnsweredNoBackend: 1},
	}
}

// vlanStrangers: unknown VLANs and nested tags are dropped; what is the kernel's
// keeps its tag.
func vlanStrangers() Case {
	in := ip4.request(frame.TCP)
	known := with(in, vlan(world.VLAN22)).Bytes()
	nested := append(append(append([]byte{}, known[:12]...), 0x81, 0, 0, world.VLAN22), known[12:]...)
	provider := append([]byte{}, known...)
	provider[12], provider[13] = 0x88, 0xa8
	ssh := atClients(with(in, vlan(world.VLAN22), func(p *frame.Packet) { p.DstPort = 22 }))
	return Case{
		Name: "vlan strangers", Services: services(ip4.service(service.ModeDR, frame.TCP, 1)),
		Steps: []Step{
			{In: append(atClients(with(in, vlan(29)), with(in, vlan(4094))), raw(world.Clients, nested, provider)...)},
			{In: ssh, Kernel: kernel(packet.ClassOther, ssh)},
		},
		Verdicts: Verdicts{packet.DropUnknownVLAN: 4, packet.Kernel: 1},
	}
}
