package main

import (
	"context"
	"encoding/binary"
	"net/netip"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/worker"
)

func (e *engine) workerFlows(ctx context.Context, w *worker.Worker, filter api.FlowFilter, emit func(api.Flow) error) error {
	return w.Flows(ctx, func(r *worker.Record) error {
		ends := e.ends(r)
		if !filter.MatchClient(ends.client.Addr()) || !filter.MatchBackend(ends.backend) || !filter.MatchService(ends.service) {
			return nil
		}
		return emit(render(w.ID(), r, ends))
	})
}

// ends are the addresses of a flow.
type ends struct {
	service        api.Key
	client         netip.AddrPort
	backend, local netip.AddrPort // local is invalid but for fullnat
}

func (e *engine) ends(r *worker.Record) ends {
	entry := &r.Entry
	backend := e.plane.store.Load().Backends.At(uint32(entry.Backend))
	request := split(entry.ReqAddrs, entry.ReqPorts)
	out := ends{client: request[0], backend: netip.AddrPortFrom(backend.Addr, backend.Port),
		service: api.Key{Protocol: protocol(entry.Proto), Address: request[1].Addr(), Port: request[1].Port()}}
	if entry.Mode == service.ModeFullNAT {
		reply := split(entry.RepAddrs, entry.RepPorts)
		out.backend, out.local = reply[0], reply[1]
	}
	return out
}

func render(id int, r *worker.Record, ends ends) api.Flow {
	f := api.Flow{
		Worker: id, Protocol: ends.service.Protocol, Mode: r.Entry.Mode.String(), State: r.Entry.State.String(),
		Client: ends.client.String(), Virtual: netip.AddrPortFrom(ends.service.Address, ends.service.Port).String(),
		Backend: ends.backend.String(), Expires: uint32(r.Left.Seconds()),
		InPackets: r.Cold.InPackets, InBytes: r.Cold.InBytes, OutPackets: r.Cold.OutPackets, OutBytes: r.Cold.OutBytes,
	}
	if ends.local.IsValid() {
		f.Local = ends.local.String()
	}
	return f
}

// split turns the raw words of a tuple into source and destination.
func split(addrs uint64, ports uint32) (out [2]netip.AddrPort) {
	for i := range out {
		var a [4]byte
		binary.LittleEndian.PutUint32(a[:], uint32(addrs>>(32*i)))
		port := uint16(ports >> (16 * i))
		out[i] = netip.AddrPortFrom(netip.AddrFrom4(a), port>>8|port<<8)
	}
	return out
}

func protocol(proto uint8) string {
	if proto == packet.ProtoTCP {
		return "tcp"
	}
	return "udp"
}
