package main

import (
	"context"
	"encoding/binary"
	"math/bits"
	"net/netip"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/worker"
)

func (e *engine) workerFlows(ctx context.Context, w *worker.Worker, filter api.FlowFilter, emit func(*api.FlowRow) error) error {
	row := new(api.FlowRow) // the same for all: there are millions
	return w.Flows(ctx, func(r *worker.Record) error {
		ends := e.ends(r)
		if !filter.MatchClient(ends.client.Addr()) || !filter.MatchBackend(ends.backend) || !filter.MatchService(ends.service) {
			return nil
		}
		render(row, w.ID(), r, &ends)
		return emit(row)
	})
}

// ends are the addresses of a flow.
type ends struct {
	flow.Common
	service        api.Key
	client         netip.AddrPort
	backend, local netip.AddrPort // local is invalid but for fullnat
}

func (e *engine) ends(r *worker.Record) ends {
	out := ends{Common: r.Entry4.Common}
	request, reply := split4(r.Entry4.Tuple(flow.Request)), split4(r.Entry4.Tuple(flow.Reply))
	if r.Index.IPv6() {
		out.Common = r.Entry6.Common
		request, reply = split6(r.Entry6.Tuple(flow.Request)), split6(r.Entry6.Tuple(flow.Reply))
	}
	out.client = request[0]
	out.service = api.Key{Protocol: protocol(out.Proto), Address: request[1].Addr(), Port: request[1].Port()}
	switch out.Mode {
	case service.ModeFullNAT:
		out.backend, out.local = reply[0], reply[1]
	case service.ModeNAT:
		out.backend = reply[0]
	default:
		backend := e.plane.store.Load().Backends.At(uint32(out.Backend))
		out.backend = netip.AddrPortFrom(backend.Addr, backend.Port)
	}
	return out
}

func render(row *api.FlowRow, id int, r *worker.Record, ends *ends) {
	*row = api.FlowRow{
		Worker: id, Protocol: ends.service.Protocol, Mode: ends.Mode.String(), State: ends.State.String(),
		Client: ends.client, Virtual: netip.AddrPortFrom(ends.service.Address, ends.service.Port), Local: ends.local,
		Backend: ends.backend, Expires: uint32(r.Left.Seconds()),
		InPackets: r.Packets[flow.Request], InBytes: r.Bytes[flow.Request],
		OutPackets: r.Packets[flow.Reply], OutBytes: r.Bytes[flow.Reply],
	}
}

// split4 turns the raw words of a tuple into source and destination.
func split4(t flow.Tuple4) (out [2]netip.AddrPort) {
	for i := range out {
		var a [4]byte
		binary.LittleEndian.PutUint32(a[:], uint32(t.Addrs>>(32*i)))
		out[i] = netip.AddrPortFrom(netip.AddrFrom4(a), hostPort(t.Ports, i))
	}
	return out
}

// split6 is split4 for IPv6.
func split6(t flow.Tuple6) (out [2]netip.AddrPort) {
	for i := range out {
		var a [16]byte
		binary.LittleEndian.PutUint64(a[:8], t.Addrs[2*i])
		binary.LittleEndian.PutUint64(a[8:], t.Addrs[2*i+1])
		out[i] = netip.AddrPortFrom(netip.AddrFrom16(a), hostPort(t.Ports, i))
	}
	return out
}

func hostPort(ports uint32, i int) uint16 { return bits.ReverseBytes16(uint16(ports >> (16 * i))) }

func protocol(proto uint8) string {
	if proto == packet.ProtoTCP {
		return "tcp"
	}
	return "udp"
}
