package worker

import (
	"math/bits"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/service"
)

// Local ports of fullnat. The whole range above the well-known ports is used;
// local addresses are Sluice's own. A flow takes a port of a pool: one local
// address towards one backend, whatever services share the two. The flow table is
// the allocator (a port is free when the table does not have the reply tuple); the
// pool counts, so that a full one is known without a search, and remembers where
// the search goes on, so that a port rests before its next use.
const (
	firstLocalPort = 1024
	numLocalPorts  = 1<<16 - firstLocalPort

	// poolsPerBackend bounds the memory, 64 bytes each, which is not touched
	// before it is needed.
	poolsPerBackend = 16
)

// pool is a local address towards a backend: one cache line. It exists while it
// has flows.
type pool struct {
	tuple  flow.Tuple6 // of replies, but local port 0; of IPv4 the first word has both addresses
	fixed  uint32      // Toeplitz hash of tuple
	flows  uint32
	ports  uint32 // that there are: this worker's share
	cursor uint32 // port handed out last, counted from firstLocalPort
	next   uint32 // in the chain of its hash, or among the free ones
	_      uint32
}

// isIPv4 tells a pool's family: the unspecified address (::) is nobody's.
func isIPv4(key *flow.Tuple6) bool { return key.Addrs[2]|key.Addrs[3] == 0 }

// localPorts are the pools of one worker. Pool 0 is a scratch pool: one that is
// looked at and does not exist yet.
type localPorts struct {
	pools []pool
	heads []uint32 // chains by hash; a power of two
	made  uint32   // pools[made:] were never used, so that their memory is not touched
	free  uint32   // pools given back
	share *[2][RETASize]uint32
	id    int
	peers int // workers; 0: the only one, whose all ports are
}

// freePort ends a flow's use of its local port.
func (w *Worker) freePort(pool uint32) {
	if w.local.release(pool) {
		w.local.remove(pool, w.poolHash(&w.local.pools[pool].tuple))
	}
}

// poolHash is the table's hash of a pool's tuple.
func (w *Worker) poolHash(key *flow.Tuple6) uint64 {
	if isIPv4(key) {
		return w.table.Hash(flow.Tuple4{Addrs: key.Addrs[0], Ports: key.Ports, Proto: key.Proto})
	}
	return w.table.Hash6(key)
}

// countPorts counts the flows that the table has already: it may be one that
// another process left.
func (w *Worker) countPorts() {
	if w.table.Len() == 0 {
		return // without a look at all of it
	}
	visit := func(i flow.Index) {
		pool := uint32(0)
		if w.table.Common(i).Mode == service.ModeFullNAT {
			key := w.poolKey(i)
			hash := w.poolHash(&key)
			pool = w.local.take(w.local.find(&key, hash, w.rand()), hash)
		}
		w.table.SetNote(i, pool)
	}
	for i := w.table.Scan(0, batch, visit); i != 0; i = w.table.Scan(i, batch, visit) {
	}
}

// poolKey is the tuple of the pool that a fullnat flow's local port is from.
func (w *Worker) poolKey(i flow.Index) flow.Tuple6 {
	if i.IPv6() {
		key := w.table.At6(i).Tuple(flow.Reply)
		key.Ports &= 0xffff
		return key
	}
	t := w.table.At(i).Tuple(flow.Reply)
	return flow.Tuple6{Addrs: [4]uint64{t.Addrs}, Ports: t.Ports & 0xffff, Proto: t.Proto}
}

// newLocalPorts makes room for that many pools.
func newLocalPorts(size, id int, peers *Peers) localPorts {
	l := localPorts{
		pools: make([]pool, size+1), heads: make([]uint32, 1<<bits.Len(uint(size))), made: 1, id: id,
	}
	if peers != nil {
		l.peers = len(peers.rings)
		l.share = &[2][RETASize]uint32{shares(id, l.peers, portBytes4), shares(id, l.peers, portBytes6)}
	}
	return l
}

// find is the pool of a reply tuple's addresses and backend port; pool 0, made
// so that a port can be searched, when there is none yet. hash is the table's, of
// key (poolHash); random is where a new pool's search begins.
func (l *localPorts) find(key *flow.Tuple6, hash, random uint64) uint32 {
	for i := l.heads[l.chain(hash)]; i != 0; i = l.pools[i].next {
		if l.pools[i].tuple.Is(key) {
			return i
		}
	}
	p := &l.pools[0]
	*p = pool{tuple: *key, ports: numLocalPorts, cursor: uint32(random % numLocalPorts)}
	if l.peers == 0 {
		return 0
	}
	if isIPv4(&p.tuple) {
		p.fixed = toeplitz(flow.Tuple4{Addrs: key.Addrs[0], Ports: key.Ports})
		p.ports = l.share[0][p.fixed%RETASize]
	} else {
		p.fixed = toeplitz6(key)
		p.ports = l.share[1][p.fixed%RETASize]
	}
	return 0
}

// find4 is find for IPv4.
func (l *localPorts) find4(addrs uint64, ports uint32, proto uint8, hash, random uint64) uint32 {
	for i := l.heads[l.chain(hash)]; i != 0; i = l.pools[i].next {
		k := &l.pools[i].tuple
		if k.Addrs[0]^addrs|uint64(k.Ports^ports)|uint64(k.Proto^proto) == 0 && isIPv4(k) {
			return i
		}
	}
	return l.find(&flow.Tuple6{Addrs: [4]uint64{addrs}, Ports: ports, Proto: proto}, hash, random)
}

func (l *localPorts) chain(hash uint64) uint64 { return hash & uint64(len(l.heads)-1) }

// search moves the pool's cursor to the next port of this worker and returns it,
// raw. There is one if p.ports is not 0. It passes over up to three
// ports, by chance (RFC 6056, 3.3.5): long-lived flows would fill the range
// without a gap otherwise, through which each search had to go.
func (l *localPorts) search(p *pool, random uint64) uint32 {
	p.cursor += uint32(random & 3)
	for {
		if p.cursor++; p.cursor >= numLocalPorts {
			p.cursor -= numLocalPorts
		}
		port := uint32(hostPort(uint16(firstLocalPort + p.cursor)))
		if l.peers == 0 || l.owned(p, port) {
			return port
		}
	}
}

// owned says whether replies to this port are this worker's. Toeplitz is linear:
// the port's share of the hash is added to the others'.
func (l *localPorts) owned(p *pool, port uint32) bool {
	at := portBytes6
	if isIPv4(&p.tuple) {
		at = portBytes4
	}
	return owner(p.fixed^portHash(at, port), l.peers) == l.id
}

// take counts a flow of the pool that find found, and makes the pool if it did
// not exist. It returns the pool's number for release: 0 when there are more
// pools in use than there is room for, which count nothing.
func (l *localPorts) take(i uint32, hash uint64) uint32 {
	if i == 0 {
		if i = l.create(); i == 0 {
			return 0
		}
		head := &l.heads[l.chain(hash)]
		l.pools[i] = l.pools[0]
		l.pools[i].next, *head = *head, i
	}
	l.pools[i].flows++
	return i
}

// create is a pool nobody uses; 0 when there is none.
func (l *localPorts) create() uint32 {
	i := l.free
	switch {
	case i != 0:
		l.free = l.pools[i].next
	case int(l.made) < len(l.pools):
		i = l.made
		l.made++
	}
	return i
}

// release ends a flow of a pool and says whether it was the last: remove it then.
func (l *localPorts) release(i uint32) bool {
	if i == 0 {
		return false
	}
	l.pools[i].flows--
	return l.pools[i].flows == 0
}

// remove ends a pool without flows.
func (l *localPorts) remove(i uint32, hash uint64) {
	at := &l.heads[l.chain(hash)]
	for *at != i {
		at = &l.pools[*at].next
	}
	*at = l.pools[i].next
	l.pools[i].next, l.free = l.free, i
}

// shares counts, by the low bits of a pool's fixed hash, the local ports whose
// replies come to worker id. at is where the port stands in Toeplitz's input.
func shares(id, workers, at int) (ports [RETASize]uint32) {
	var bySlot [RETASize]uint32
	for port := firstLocalPort; port < 1<<16; port++ {
		bySlot[portHash(at, uint32(hostPort(uint16(port))))%RETASize]++
	}
	for fixed := range ports {
		for slot, n := range bySlot {
			if owner(uint32(fixed^slot), workers) == id {
				ports[fixed] += n
			}
		}
	}
	return ports
}
