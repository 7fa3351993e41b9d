package conformance

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// TestCasesAmongOthers: the cases again, with plain packets of flows that run in
// both directions before every frame. Those take the worker's short way
// (worker/plain.go), the cases' often another: neither may notice.
func TestCasesAmongOthers(t *testing.T) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			r := newRig(t)
			r.others = newOthers()
			r.begin()
			r.run(&c)
		})
	}
}

// The others' ports.
const (
	othersClient  = 54321
	othersService = 5353
	othersBackend = 5354
)

// others are flows of both families besides a case's: what arrives at a port, and
// what of it leaves by the other one.
type others struct {
	services   []world.Service
	in, out    [2][][]byte // by port
	went, came uint64
}

func newOthers() *others {
	o := &others{}
	for _, f := range []struct{ client, vip, backend string }{
		{"100.64.0.1", "192.0.2.250", "10.0.0.4"}, {"2001:db8:64::1", "2001:db8:2::250", "fd00::4"},
	} {
		o.services = append(o.services, world.Service{
			Proto: frame.UDP, VIP: f.vip, Port: othersService, Mode: service.ModeNAT,
			Backends: []world.Backend{{Addr: f.backend, Port: othersBackend}},
		})
		request := frame.Packet{
			SrcMAC: world.RouterMAC, DstMAC: world.PortMAC(world.Clients), Src: f.client, Dst: f.vip,
			Proto: frame.UDP, SrcPort: othersClient, DstPort: othersService, Payload: []byte("of another flow"),
		}
		there := routed(request, world.Backends, world.BackendMAC(4))
		there.Dst, there.DstPort = f.backend, othersBackend
		reply := frame.Packet{
			SrcMAC: world.BackendMAC(4), DstMAC: world.PortMAC(world.Backends), Src: f.backend, Dst: f.client,
			Proto: frame.UDP, SrcPort: othersBackend, DstPort: othersClient, Payload: []byte("its answer"),
		}
		back := routed(reply, world.Clients, world.RouterMAC)
		back.Src, back.SrcPort = f.vip, othersService
		o.in[world.Clients] = append(o.in[world.Clients], request.Bytes())
		o.out[world.Backends] = append(o.out[world.Backends], there.Bytes())
		o.in[world.Backends] = append(o.in[world.Backends], reply.Bytes())
		o.out[world.Clients] = append(o.out[world.Clients], back.Bytes())
	}
	return o
}

// begin opens the flows of the others.
func (r *rig) begin() {
	r.configure(nil)
	for port := range r.ports {
		r.accompany(port, packet.BurstSize)
		require.EqualValues(r, len(r.others.in[port]), r.worker.Poll())
	}
	require.Equal(r, r.others.went, r.others.came)
	r.frames += r.others.went
}

// accompany lets the others' packets arrive at a port, if so many frames have room
// in its burst, and returns how many these were.
func (r *rig) accompany(port, room int) int {
	if r.others == nil || room < len(r.others.in[port]) {
		return 0
	}
	for _, b := range r.others.in[port] {
		r.ports[port].Receive(b)
	}
	r.others.went += uint64(len(r.others.in[port]))
	return len(r.others.in[port])
}

// expects says whether a frame that left by a port is one of theirs, and as it must
// be.
func (o *others) expects(port int, b []byte) bool {
	if o == nil || !slices.ContainsFunc(o.out[port], func(want []byte) bool { return bytes.Equal(want, b) }) {
		return false
	}
	o.came++
	return true
}

// owns says whether a flow is theirs.
func (o *others) owns(c *flow.Common) bool {
	var ports [4]byte
	binary.LittleEndian.PutUint32(ports[:], c.Sides[flow.Request].Ports)
	return o != nil && binary.BigEndian.Uint32(ports[:]) == othersClient<<16|othersService
}
