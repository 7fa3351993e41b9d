package flow

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// Identity is what a backend id means: an id is worth something in one process
// only, a later one finds the backend, or not, by this.
type Identity struct {
	Service service.Key
	Addr    netip.Addr // of the backend
	Port    uint16     // host byte order; dr and tun: the service's
	Local   netip.Addr // tun: source of the outer header; may be missing
}

// valid says whether flows can name such a backend.
func (d *Identity) valid() bool {
	known := d.Service.Proto == packet.ProtoTCP || d.Service.Proto == packet.ProtoUDP
	return known && d.Service.Addr.IsValid() && d.Service.Port != 0 && d.Addr.IsValid() && d.Port != 0
}

// record is an Identity in a file, twice: the one that does not count is
// written, then takes the other's place in one store. So it is whole whenever
// the writer is killed.
type record struct {
	count   uint32 // of changes: identities[count&1] counts; 0: none
	_       uint32
	written [2]fileIdentity
	_       [8]byte
}

// fileIdentity has addresses as 16 bytes, IPv4 mapped into IPv6, ports in the
// writer's byte order.
type fileIdentity struct {
	service, backend, local  [16]byte
	servicePort, backendPort uint16
	proto                    uint8
	_                        [3]byte
}

// Two cache lines.
var _ [128]byte = [unsafe.Sizeof(record{})]byte{}

func (r *record) set(d Identity) {
	next := r.count + 1
	if next == 0 {
		next = 2 // of the same parity
	}
	r.written[next&1] = fileIdentity{
		service: addr16(d.Service.Addr), backend: addr16(d.Addr), local: addr16(d.Local),
		servicePort: d.Service.Port, backendPort: d.Port, proto: d.Service.Proto,
	}
	atomic.StoreUint32(&r.count, next)
}

// get is the identity that counts; it may be anything in a file that is damaged.
func (r *record) get() (d Identity, ok bool) {
	if r.count == 0 {
		return d, false
	}
	w := &r.written[r.count&1]
	d = Identity{
		Service: service.Key{Proto: w.proto, Addr: addrFrom16(w.service), Port: w.servicePort},
		Addr:    addrFrom16(w.backend), Port: w.backendPort, Local: addrFrom16(w.local),
	}
	return d, d.valid()
}

// addr16 is 16 zeros for the zero Addr.
func addr16(a netip.Addr) (b [16]byte) {
	if a.IsValid() {
		b = a.As16()
	}
	return b
}

func addrFrom16(b [16]byte) netip.Addr {
	if b == [16]byte{} {
		return netip.Addr{}
	}
	return netip.AddrFrom16(b).Unmap()
}

// Describe writes down what a backend id means, for whoever adopts the flows; the
// zero Identity takes it back. A backend is described before the first flow
// names it, and an id gets a new meaning only when no flow names it. One
// goroutine at a time may call it, the worker's or another. Without a file it
// does nothing.
func (t *Table) Describe(id service.BackendID, d Identity) error {
	if t.file == nil {
		return nil
	}
	if id == 0 || int(id) >= len(t.file.records) {
		return fmt.Errorf("describe backend in flow table: id %d: not between 1 and %d: raise Config.Backends", id, len(t.file.records)-1)
	}
	if d != (Identity{}) && !d.valid() {
		return fmt.Errorf("describe backend in flow table: %+v: incomplete: name protocol, addresses and ports", d)
	}
	t.file.records[id].set(d)
	return nil
}
