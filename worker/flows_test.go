package worker

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

func TestTableFull(t *testing.T) {
	r := newRig(t, options{flows: 8})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.1"))
	for range 2 { // or they would make room
		for i := range 8 {
			r.arrive(0, request(frame.UDP, 53, uint16(1000+i)).Bytes())
		}
		r.poll()
	}
	for i := range 12 {
		r.arrive(0, request(frame.UDP, 53, uint16(1008+i)).Bytes())
	}
	r.poll()
	assert.Equal(t, 16, r.count(packet.Forwarded))
	assert.Equal(t, 12, r.count(packet.DropTableFull))
	assert.EqualValues(t, 8, r.stats.created)
	r.later(301 * time.Second)
	for range 20 { // in slices
		r.Poll()
	}
	r.arrive(0, request(frame.UDP, 53, 1019).Bytes())
	r.poll()
	assert.Equal(t, 17, r.count(packet.Forwarded), "room again")
	assert.EqualValues(t, 8, r.stats.expired)
	id := r.world.BackendID(frame.UDP, vip, 53, "10.0.0.1", 53)
	assert.EqualValues(t, 1, r.Inactive(id))
	assert.Zero(t, r.Active(id))
	r.checkSums()
}

// The service that was asked for last is remembered, but neither for another address
// nor beyond its snapshot.
func TestServiceOfEachPacket(t *testing.T) {
	r := newRig(t, options{flows: 100})
	a, b := dr(frame.UDP, 53, "10.0.0.1"), dr(frame.UDP, 54, "10.0.0.2")
	client := uint16(1000)
	open := func(ports ...uint16) int {
		before := r.table.Len()
		for _, port := range ports {
			client++
			r.arrive(0, request(frame.UDP, port, client).Bytes())
		}
		r.poll()
		return r.table.Len() - before
	}
	r.world.Configure(a, b)
	assert.Equal(t, 5, open(53, 54, 54, 55, 53, 55, 54), "55 is nobody's")
	assert.EqualValues(t, 2, r.load[r.world.BackendID(frame.UDP, vip, 53, "10.0.0.1", 53)].flows)
	assert.EqualValues(t, 3, r.load[r.world.BackendID(frame.UDP, vip, 54, "10.0.0.2", 54)].flows)
	r.world.Configure(a)
	assert.Zero(t, open(54), "the one asked for last is gone")
	r.world.Configure(a, b)
	assert.Equal(t, 1, open(54), "and back, also for whom none was there")
	r.checkSums()
}

func TestNoLocalAddress(t *testing.T) {
	r := newRig(t, options{flows: 10})
	svc := fullnat(frame.TCP, 80, "10.0.0.1")
	svc.Locals = nil
	r.world.Configure(svc)
	r.arrive(0, request(frame.TCP, 80, 1).Bytes())
	r.poll()
	assert.Equal(t, 1, r.count(packet.DropNoLocalPort))
}

// TestLocalPortsOfManyWorkers: with 16 workers each still finds ports, all
// owned by itself.
func TestLocalPortsOfManyWorkers(t *testing.T) {
	r := newRig(t, options{id: 3, flows: 3000, world: world.New(16), peers: NewPeers(16, 1)})
	r.world.Configure(fullnat(frame.TCP, 80, "10.0.0.1"))
	for i := range 20000 {
		if i%256 == 0 {
			r.poll()
		}
		r.arrive(0, request(frame.TCP, 80, uint16(1024+i)).Bytes())
	}
	r.poll()
	list := r.entries()
	assert.Greater(t, len(list), 600)
	assert.Zero(t, r.count(packet.DropNoLocalPort))
	for _, e := range list {
		assert.Equal(t, 3, owner(toeplitz(e.Tuple(flow.Reply)), 16))
	}
}

// TestWanted: who waits for a link address is named to the kernel path, and
// what does not fit the list is asked for again.
func TestWanted(t *testing.T) {
	r := newRig(t, options{flows: 10})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.99"), fullnat(frame.UDP, 54, "10.0.0.1"))
	r.arrive(0, request(frame.UDP, 53, 1).Bytes(), request(frame.UDP, 54, 1).Bytes())
	var sent []byte
	r.ports[1].Sent = func(b []byte) { sent = append([]byte(nil), b...) }
	r.poll()
	assert.Equal(t, 1, r.count(packet.DropNoNeighbour))
	assert.Equal(t, []string{"10.0.0.99"}, r.wants())

	r.world.Hops.Set(1, service.NextHop{Port: 0, MTU: 1500}) // the router falls silent
	r.arrive(1, answer(sent))
	r.poll()
	assert.Equal(t, 2, r.count(packet.DropNoNeighbour))
	assert.Equal(t, []string{cip}, r.wants(), "the reply's next hop")

	for i := range 100 {
		r.arrive(0, request(frame.UDP, 53, uint16(i+1)).Bytes())
	}
	r.poll()
	assert.Len(t, r.wants(), 64)
	r.arrive(0, request(frame.UDP, 53, 1).Bytes())
	r.poll()
	assert.Len(t, r.wants(), 1)
	r.checkSums()
}

func (r *rig) wants() (list []string) {
	for addr, ok := r.Wanted(); ok; addr, ok = r.Wanted() {
		list = append(list, netip.AddrFrom16(addr).Unmap().String())
	}
	return list
}

// TestNeighbourMoves: a link address that changes in place reaches running flows
// with the next packet, without a new epoch.
func TestNeighbourMoves(t *testing.T) {
	r := newRig(t, options{flows: 10})
	r.world.Configure(dr(frame.UDP, 53, "10.0.0.1"))
	var dst []string
	r.ports[1].Sent = func(b []byte) { dst = append(dst, fmt.Sprintf("%x", b[:6])) }
	r.arrive(0, request(frame.UDP, 53, 1).Bytes())
	r.poll()
	r.world.Hops.Set(2, service.NextHop{Port: 1, MTU: 1500, Src: world.PortMAC(1), Dst: packet.MAC{2, 9, 9, 9, 9, 9}, Resolved: true})
	r.arrive(0, request(frame.UDP, 53, 1).Bytes())
	r.poll()
	assert.Equal(t, []string{"020000000201", "020909090909"}, dst)
}

// TestOverflowReopens: a SYN on a finished connection is scheduled anew also
// when the flow is not in its home bucket.
func TestOverflowReopens(t *testing.T) {
	const flows = 4096
	r := newRig(t, options{flows: flows, seed: 1})
	r.world.Configure(fullnat(frame.TCP, 80, "10.0.0.2", "10.0.0.1"))
	for i := range flows {
		r.arrive(0, request(frame.TCP, 80, uint16(1024+i)).Bytes(), bytes(request(frame.TCP, 80, uint16(1024+i)), func(p *frame.Packet) { p.Flags = frame.FIN }))
		r.poll()
	}
	reopened := 0
	for _, e := range r.entries() {
		hashes, found := [packet.BurstSize]uint64{r.table.Hash(e.Tuple(flow.Request))}, flow.Found{}
		if r.table.Candidates(&hashes, &found, 1); found.Refs[0] != 0 {
			continue
		}
		require.Equal(t, flow.StateTimeWait, e.State)
		created := r.stats.created
		r.arrive(0, request(frame.TCP, 80, hostPort(uint16(e.Sides[flow.Request].Ports))).Bytes())
		r.poll()
		assert.Equal(t, created+1, r.stats.created)
		reopened++
	}
	assert.Positive(t, reopened, "no flow in an overflow bucket")
	r.checkSums()
}

// TestExpiryFreesLoad: active flows that fall silent are not active any more.
func TestExpiryFreesLoad(t *testing.T) {
	r := newRig(t, options{flows: 1000})
	r.world.Configure(dr(frame.TCP, 80, "10.0.0.1"))
	id := r.world.BackendID(frame.TCP, vip, 80, "10.0.0.1", 80)
	for i := range 600 {
		r.arrive(0, request(frame.TCP, 80, uint16(1000+i)).Bytes())
	}
	r.poll()
	assert.EqualValues(t, 600, r.Active(id))
	r.later(59 * time.Second)
	r.Poll()
	assert.EqualValues(t, 600, r.Active(id), "a second before its time")
	r.later(2 * time.Second)
	for range 10 { // in slices
		r.Poll()
	}
	assert.Zero(t, r.Active(id))
	assert.EqualValues(t, 600, r.stats.expired)
}
