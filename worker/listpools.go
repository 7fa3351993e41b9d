package worker

import (
	"context"
	"net/netip"

	"github.com/sluice-lb/sluice/flow"
)

// LocalPool is what a worker uses of one local address towards one backend.
type LocalPool struct {
	key flow.Tuple6

	Flows uint32 // ports in use
	Ports uint32 // that the worker may use: all of a pool's, over all workers, are LocalPorts
}

// LocalPorts is how many ports a local address has towards each backend.
const LocalPorts = numLocalPorts

// Proto is the IP protocol: TCP and UDP have pools apart.
func (p *LocalPool) Proto() uint8 { return p.key.Proto }

// Local is the local address.
func (p *LocalPool) Local() netip.Addr {
	if isIPv4(&p.key) {
		return address(uint32(p.key.Addrs[0] >> 32))
	}
	return address6(p.key.Addrs[2], p.key.Addrs[3])
}

// Backend is the address and port that the pool's flows lead to.
func (p *LocalPool) Backend() netip.AddrPort {
	port := hostPort(uint16(p.key.Ports))
	if isIPv4(&p.key) {
		return netip.AddrPortFrom(address(uint32(p.key.Addrs[0])), port)
	}
	return netip.AddrPortFrom(address6(p.key.Addrs[0], p.key.Addrs[1]), port)
}

// LocalPools calls visit for every pool that has flows, as Flows does for flows.
// Safe from any goroutine.
func (w *Worker) LocalPools(ctx context.Context, visit func(*LocalPool) error) error {
	pools := make([]LocalPool, batch)
	return w.each(ctx, listPools, func(m *mailbox) int { return copy(pools, m.pools[:m.n]) }, func(i int) error { return visit(&pools[i]) })
}

// copyPools is serveMail's answer: a batch of places from number from on.
func (w *Worker) copyPools(from uint32) (next uint32) {
	m, end := &w.mail, min(from+batch, w.local.made)
	for i := max(from, 1); i < end; i++ {
		if p := &w.local.pools[i]; p.flows > 0 {
			m.pools[m.n] = LocalPool{p.tuple, p.flows, p.ports}
			m.n++
		}
	}
	if end == w.local.made {
		return 0
	}
	return end
}
