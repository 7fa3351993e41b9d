package worker

import (
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/modes"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// Local ports of fullnat. The whole range above the well-known ports is used;
// local addresses are Sluice's own.
const (
	firstLocalPort = 1024
	numLocalPorts  = 1<<16 - firstLocalPort

	// localPortTries bounds the search among the ports that this worker owns.
	// With 19 of 20 towards a backend in use, the chance to miss the free ones is
	// 0.95^128, one in 700.
	localPortTries = 128
)

// translate sets the reply tuple of a new flow and the checksum deltas.
func (w *Worker) translate(e *flow.Entry4, svc *service.Service, backend *service.Backend) packet.Verdict {
	if svc.Mode != service.ModeFullNAT {
		return packet.Pending
	}
	if len(svc.Locals) == 0 {
		return packet.DropNoLocalPort
	}
	rip, rport := rawAddress(backend.Addr), hostPort(backend.Port)
	local := svc.Locals[w.rand()%uint64(len(svc.Locals))]
	e.RepAddrs = uint64(rip) | uint64(rawAddress(local))<<32
	port, ok := w.freePort(flow.Tuple4{Addrs: e.RepAddrs, Ports: uint32(rport), Proto: e.Proto})
	if !ok {
		return packet.DropNoLocalPort
	}
	e.RepPorts = uint32(rport) | uint32(port)<<16
	modes.Prepare4(e)
	return packet.Pending
}

// freePort finds a local port for the reply tuple reply, whose destination port
// is still 0: one under which the table knows no flow from that backend, and
// whose replies this worker owns. The table itself is the allocator: one local
// port serves as many backends as there are. The result is raw.
func (w *Worker) freePort(reply flow.Tuple4) (uint16, bool) {
	start, step := w.rand(), w.rand()|1
	tries := localPortTries
	for i := uint64(0); tries > 0 && i < numLocalPorts; i++ {
		port := hostPort(uint16(firstLocalPort + (start+i*step)%numLocalPorts))
		reply.Ports = reply.Ports&0xffff | uint32(port)<<16
		if !w.owns(reply) {
			continue
		}
		if !w.table.Has(reply) {
			return port, true
		}
		tries--
	}
	return 0, false
}

// rand is xorshift64*, enough to spread ports and next hops.
func (w *Worker) rand() uint64 {
	w.random ^= w.random >> 12
	w.random ^= w.random << 25
	w.random ^= w.random >> 27
	return w.random * 0x2545F4914F6CDD1D
}
