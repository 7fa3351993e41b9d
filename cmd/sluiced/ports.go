package main

import (
	"net"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/ctl/kernel"
	"github.com/sluice-lb/sluice/dpdk"
)

// Ports shows the devices and their twins.
func (e *engine) Ports() []api.Port {
	twins := e.path.Counters().Twins
	out := make([]api.Port, len(e.plane.ports))
	for i, p := range e.plane.ports {
		out[i] = e.port(p)
		for _, w := range e.plane.workers {
			out[i].HandedOver += w.Stats().Port(i).HandedOver
		}
		for _, t := range twins {
			if t.Port == i {
				addTwin(&out[i], t)
			}
		}
	}
	return out
}

func (e *engine) port(p *dpdk.Port) api.Port {
	info, link := p.Info(), "down"
	if p.LinkUp() {
		link = "up"
	}
	out := api.Port{
		Name: info.Name, Device: info.Device, Driver: info.Driver, MAC: net.HardwareAddr(info.MAC[:]).String(),
		MTU: info.MTU, Link: link, Queues: info.Queues, Twins: []api.Twin{}, Limits: append([]string{}, p.Limits()...),
	}
	stats, err := p.Stats()
	if err != nil {
		e.log.Warn("read port counters", "port", info.Name, "error", err)
		return out
	}
	out.RxPackets, out.TxPackets = stats.RxPackets, stats.TxPackets
	out.RxBytes, out.TxBytes = stats.RxBytes, stats.TxBytes
	out.RxMissed, out.RxErrors = stats.RxMissed, stats.RxErrors
	out.TxErrors, out.RxNoBuf = stats.TxErrors, stats.RxNoBuf
	return out
}

func addTwin(p *api.Port, t kernel.TwinCounters) {
	if t.VLAN == 0 {
		p.Twin = t.Name
	}
	p.ToKernel += t.ToKernel
	p.FromKernel += t.FromKernel
	p.Twins = append(p.Twins, api.Twin{Name: t.Name, VLAN: t.VLAN, ToKernel: t.ToKernel, FromKernel: t.FromKernel, Lost: t.Lost})
}

// kernelPath is what the kernel path counts beside the twins.
func (e *engine) kernelPath() api.KernelPath {
	c := e.path.Counters()
	out := api.KernelPath{TunnelErrors: c.TunnelErrors, NoTwin: c.NoTwin, ResolveDropped: c.ResolveDropped, OwnBackends: []string{}}
	for _, addr := range e.path.OwnBackends() {
		out.OwnBackends = append(out.OwnBackends, addr.String())
	}
	return out
}

// specs are the networks of all ports for the kernel path: of each the untagged
// one first, then its VLANs.
func (d *daemon) specs() (out []kernel.PortSpec) {
	for i, p := range d.config.Ports {
		one := kernel.PortSpec{
			Name: p.Name, Index: i, MAC: d.plane.ports[i].Info().MAC, MTU: p.MTU, TwinName: p.Twin,
			Devices: dpdk.Interfaces(p.Device), Addresses: p.Addresses, Routes: routes(p.Routes),
		}
		out = append(out, one)
		for _, v := range p.VLANs {
			tagged := one
			tagged.VLAN, tagged.TwinName, tagged.Devices = v.ID, v.Twin, nil
			tagged.Addresses, tagged.Routes = v.Addresses, routes(v.Routes)
			out = append(out, tagged)
		}
	}
	return out
}

// vlans are the ids that frames of each port may carry.
func vlans(ports []config.Port) [][]uint16 {
	out := make([][]uint16, len(ports))
	for i, p := range ports {
		for _, v := range p.VLANs {
			out[i] = append(out[i], v.ID)
		}
	}
	return out
}

func routes(in []config.Route) []kernel.RouteSpec {
	out := make([]kernel.RouteSpec, len(in))
	for i, r := range in {
		out[i] = kernel.RouteSpec{To: r.To, Via: r.Via}
	}
	return out
}
