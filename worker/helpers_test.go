package worker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/fake"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

const (
	cip = "203.0.113.7"
	vip = "192.0.2.10"
	lip = "10.0.0.200"
)

// rig is a worker between two fake ports.
type rig struct {
	*Worker
	t     testing.TB
	world *world.World
	pool  *fake.Pool
	ports [2]*fake.Port
}

// options of a rig; zero values take what newRig chooses.
type options struct {
	id, flows int
	flows6    int
	seed      uint64
	timeouts  flow.Timeouts
	world     *world.World
	pool      *fake.Pool
	peers     *Peers
	rings     int // frames in each kernel ring
	limits    *Limits
	idle      Idle
}

func newRig(t testing.TB, o options) *rig {
	r := &rig{t: t, world: o.world, pool: o.pool}
	if r.world == nil {
		r.world = world.New(1)
	}
	if r.pool == nil {
		r.pool = fake.NewPool(1024)
	}
	limits := DefaultLimits()
	if o.limits != nil {
		limits = *o.limits
	}
	ports := make([]packet.Port, 2)
	for i := range ports {
		r.ports[i] = fake.NewPort(r.pool, world.PortMAC(i))
		ports[i] = r.ports[i]
	}
	table, err := flow.New(flow.Config{Flows: max(o.flows, 1), Flows6: o.flows6, Seed: o.seed, Timeouts: o.timeouts})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, table.Close()) })
	r.Worker = New(Config{
		ID: o.id, Ports: ports, VLANs: world.VLANs(), Pool: r.pool, Store: r.world.Store, Table: table,
		Kernel: packet.NewKernelRings(2, max(o.rings, 64)), Peers: o.peers,
		Backends: 2048, Services: 64, Limits: limits, Idle: o.idle,
	})
	return r
}

// receive gives frames to a port, for the next Poll.
func (r *rig) arrive(port int, frames ...[]byte) {
	for _, f := range frames {
		r.ports[port].Receive(f)
	}
}

// poll polls until nothing waits.
func (r *rig) poll() {
	r.Poll()
	for r.ports[0].Waiting()+r.ports[1].Waiting() > 0 {
		r.Poll()
	}
}

// later makes the worker's clock jump.
func (r *rig) later(d time.Duration) { r.started = r.started.Add(-d) }

// toKernel takes what the worker gave to the kernel.
func (r *rig) takeKernel() (n int) {
	var burst packet.Burst
	for _, ring := range r.cfg.Kernel.To {
		for k := ring.Pop(&burst, packet.BurstSize); k > 0; k = ring.Pop(&burst, packet.BurstSize) {
			r.pool.Free(&burst, k)
			n += k
		}
	}
	return n
}

// count is a verdict's counter.
func (r *rig) count(v packet.Verdict) int { return int(r.stats.verdicts[v]) }

// checkSums is the invariant: every frame has ended once.
func (r *rig) checkSums() {
	r.t.Helper()
	var ended uint64
	for v := packet.Pending + 1; v < packet.NumVerdicts; v++ {
		ended += r.stats.verdicts[v]
	}
	assert.Zero(r.t, r.stats.verdicts[packet.Pending])
	assert.Equal(r.t, r.stats.received+r.stats.generated, ended, "frames that ended")
}

// dr and fullnat are services with these backends, oldest first.
func dr(proto uint8, port uint16, backends ...string) world.Service {
	s := world.Service{Proto: proto, VIP: vip, Port: port, Mode: service.ModeDR}
	for _, addr := range backends {
		s.Backends = append(s.Backends, world.Backend{Addr: addr})
	}
	return s
}

func fullnat(proto uint8, port uint16, backends ...string) world.Service {
	s := dr(proto, port, backends...)
	s.Mode, s.Locals = service.ModeFullNAT, []string{lip}
	return s
}

// request is a client's packet, a SYN when it is TCP.
func request(proto uint8, port, cport uint16) frame.Packet {
	p := frame.Packet{
		SrcMAC: world.RouterMAC, DstMAC: world.PortMAC(0), Src: cip, Dst: vip,
		Proto: proto, SrcPort: cport, DstPort: port, Payload: []byte("request"),
	}
	if proto == frame.TCP {
		p.Flags = frame.SYN
	}
	return p
}

// bytes are the frame of a packet, changed.
func bytes(p frame.Packet, changes ...func(*frame.Packet)) []byte {
	for _, change := range changes {
		change(&p)
	}
	return p.Bytes()
}

// entries are the IPv4 flows of the worker's table.
func (r *rig) entries() (list []flow.Entry4) {
	for i := range r.table.Cap() - r.table.Cap6() {
		if e := r.table.At(flow.Index(i + 1)); e.State != flow.StateNone {
			list = append(list, *e)
		}
	}
	return list
}
