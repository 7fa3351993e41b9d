package conformance

import (
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/worker"
)

// modeCases: dr, nat and fullnat of both families and protocols, with packets
// of every kind; replies too where they pass.
func modeCases() (all []Case) {
	kinds := []struct {
		name    string
		changes []func(*frame.Packet)
	}{
		{"", nil},
		{", no payload", []func(*frame.Packet){payload(nil)}},
		{", odd payload", []func(*frame.Packet){payload([]byte("123"))}},
		{", TTL 2", []func(*frame.Packet){ttl(2)}},
		{", TTL 255", []func(*frame.Packet){ttl(255)}},
		{", padded", []func(*frame.Packet){padded}},
		{", as large as the MTU", []func(*frame.Packet){size(1500), dontFragment}},
		{", wrong checksum stays wrong", []func(*frame.Packet){sumError(0x8421)}},
		{", no UDP checksum", []func(*frame.Packet){noSum}},
	}
	each(func(name string, f family, proto uint8) {
		for _, mode := range onePort {
			for _, kind := range kinds {
				if kind.name == ", no UDP checksum" && proto == frame.TCP {
					continue
				}
				all = append(all, thereAndBack(mode.String()+" "+name+kind.name, f, mode, proto, kind.changes...))
			}
			all = append(all, modeCounts(name, f, mode, proto))
		}
	})
	for _, f := range families {
		for _, mode := range natModes {
			all = append(all, modeZeroSum(f, mode))
		}
	}
	return all
}

// thereAndBack: a request, its reply, and another request, all of one kind.
func thereAndBack(name string, f family, mode service.Mode, proto uint8, changes ...func(*frame.Packet)) Case {
	in := with(f.request(proto), changes...)
	c := Case{
		Name: name, Services: services(f.service(mode, proto, 1)), Verdicts: Verdicts{packet.Forwarded: 1},
		Steps: []Step{{In: atClients(in), Out: atBackends(f.there(mode, in, 1))}},
	}
	if translates(mode) {
		back := with(f.reply(mode, proto, 1), changes...)
		c.Steps = append(c.Steps, Step{In: atBackends(back), Out: atClients(f.back(back))}, c.Steps[0])
		c.Verdicts[packet.Forwarded] = 3
	}
	return c
}

// modeCounts: bytes are those of IP packets, as they came, without padding.
func modeCounts(name string, f family, mode service.Mode, proto uint8) Case {
	in := with(f.request(proto), padded)
	c := Case{
		Name: mode.String() + " " + name + ", counted", Services: services(f.service(mode, proto, 2)),
		Steps:    []Step{{In: atClients(in, in), Out: atBackends(f.there(mode, in, 2), f.there(mode, in, 2))}},
		Verdicts: Verdicts{packet.Forwarded: 2},
	}
	load := worker.Load{Flows: 1, InPackets: 2, InBytes: 2 * uint64(len(in.IP()))}
	if load.Active = 1; proto == frame.UDP {
		load.Active, load.Inactive = 0, 1
	}
	if translates(mode) {
		back := with(f.reply(mode, proto, 2), padded)
		c.Steps = append(c.Steps, Step{In: atBackends(back), Out: atClients(f.back(back))})
		c.Verdicts[packet.Forwarded], load.OutPackets, load.OutBytes = 3, 1, uint64(len(back.IP()))
	}
	c.Loads = map[string]worker.Load{f.rip(2): load}
	return c
}

// modeZeroSum: a UDP checksum that computes to 0 goes out as 0xffff.
func modeZeroSum(f family, mode service.Mode) Case {
	in, back := f.request(frame.UDP), f.reply(mode, frame.UDP, 1)
	out := zeroSum(f.back(back))
	back.Payload = out.Payload
	return Case{
		Name: mode.String() + " " + f.name + ", UDP checksum computed 0", Services: services(f.service(mode, frame.UDP, 1)),
		Steps: []Step{
			{In: atClients(in), Out: atBackends(f.there(mode, in, 1))},
			{In: atBackends(back), Out: atClients(out)},
		},
		Verdicts: Verdicts{packet.Forwarded: 2},
	}
}
