package conformance

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/fake"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
	"github.com/sluice-lb/sluice/worker"
)

func TestCases(t *testing.T) {
	names := map[string]bool{}
	for _, c := range Cases() {
		assert.False(t, names[c.Name], "two cases %q", c.Name)
		names[c.Name] = true
		t.Run(c.Name, func(t *testing.T) { newRig(t).run(&c) })
	}
}

// rig is a worker between two fake ports.
type rig struct {
	*testing.T
	world  *world.World
	pool   *fake.Pool
	ports  [2]*fake.Port
	sent   [2][][]byte
	kernel *packet.KernelRings
	table  *flow.Table
	worker *worker.Worker
	locals Locals
	frames uint64  // given to the worker
	others *others // besides the case's packets; nil: none
}

func newRig(t *testing.T) *rig { return newRigWith(t, worker.DefaultLimits(), 64) }

// newRigWith has room for that many flows of each family.
func newRigWith(t *testing.T, limits worker.Limits, flows int) *rig {
	r := &rig{T: t, world: world.New(1), pool: fake.NewPoolOf(256, fake.Headroom+world.JumboMTU+18), kernel: packet.NewKernelRings(2, 64)}
	ports := make([]packet.Port, 2)
	for i := range ports {
		p := fake.NewPort(r.pool, world.PortMAC(i))
		p.Sent = func(b []byte) {
			if !r.others.expects(i, b) {
				r.sent[i] = append(r.sent[i], append([]byte(nil), b...))
			}
		}
		r.ports[i], ports[i] = p, p
	}
	var err error
	r.table, err = flow.New(flow.Config{Flows: flows, Flows6: flows})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.table.Close()) })
	r.worker = worker.New(worker.Config{
		Ports: ports, VLANs: world.VLANs(), Pool: r.pool, Store: r.world.Store, Table: r.table, Kernel: r.kernel,
		Backends: 64, Services: 16, Limits: limits,
	})
	return r
}

func (r *rig) run(c *Case) {
	r.configure(c.Services)
	for i := range c.Steps {
		r.step(i, &c.Steps[i])
	}
	var stop atomic.Bool
	stop.Store(true)
	r.worker.Run(&stop) // publishes
	r.checkVerdicts(c.Verdicts)
	r.checkLoads(c.Loads)
	assert.Zero(r, r.pool.InUse(), "buffers lost")
}

func (r *rig) configure(list []world.Service) {
	if r.others != nil {
		list = append(list[:len(list):len(list)], r.others.services...)
	}
	r.world.Configure(list...)
}

// step gives the worker the frames of a step and compares what comes out.
func (r *rig) step(i int, s *Step) {
	if s.Configure != nil {
		r.configure(*s.Configure)
	}
	if s.Rewire != nil {
		r.world.Rewire(s.Rewire)
	}
	r.sent = [2][][]byte{}
	moved, room := len(s.In)+len(s.Sent), packet.BurstSize-len(s.In)
	for _, f := range s.In {
		n := r.accompany(f.Port, room)
		moved, room = moved+n, room-n
		r.ports[f.Port].Receive(f.Bytes(&r.locals))
	}
	for _, f := range s.Sent {
		require.True(r, r.kernel.From[f.Port].Push(r.pool.Copy(f.Bytes(&r.locals))))
	}
	r.frames += uint64(moved)
	assert.Equal(r, moved, r.worker.Poll(), "step %d: frames moved", i)
	r.checkOut(i, s.Out)
	r.checkKernel(i, s.Kernel)
	if s.States != nil {
		assert.Equal(r, s.States, r.states(), "step %d", i)
	}
}

func (r *rig) checkOut(i int, want []Frame) {
	for port := range r.sent {
		var frames []Frame
		for _, f := range want {
			if f.Port == port {
				frames = append(frames, f)
			}
		}
		got := r.sent[port]
		require.Equal(r, len(frames), len(got), "step %d: frames out of port %d: %x", i, port, got)
		for k, f := range frames {
			r.learn(f, got[k])
			if f.AnyID {
				f.Packet.ID = binary.BigEndian.Uint16(got[k][frame.L3(got[k])+4:])
			}
			assert.Equal(r, f.Bytes(&r.locals), got[k], "step %d: port %d: frame %d", i, port, k)
		}
	}
}

// learn takes the local port of a new flow from the first frame that has it.
func (r *rig) learn(want Frame, got []byte) {
	name := want.Packet.SrcPort
	if want.Raw != nil || name < Local1 || name > Local9 || r.locals[name] != 0 {
		return
	}
	port := binary.BigEndian.Uint16(got[frame.L4(got):])
	assert.GreaterOrEqual(r, port, uint16(1024), "local port")
	r.locals[name] = port
}

func (r *rig) checkKernel(i int, want []Frame) {
	for class := range packet.NumKernelClasses {
		var burst packet.Burst
		n := r.kernel.To[class].Pop(&burst, packet.BurstSize)
		k := 0
		for _, f := range want {
			if f.Class != class {
				continue
			}
			require.Less(r, k, n, "step %d: frames to the kernel, class %v", i, class)
			assert.Equal(r, f.Bytes(&r.locals), burst[k].Bytes(), "step %d: to the kernel", i)
			assert.EqualValues(r, f.Port, burst[k].Port, "step %d: twin", i)
			k++
		}
		assert.Equal(r, k, n, "step %d: frames to the kernel, class %v", i, class)
		r.pool.Free(&burst, n)
	}
}

func (r *rig) states() []flow.State {
	states := []flow.State{}
	for family, size := range []int{r.table.Cap() - r.table.Cap6(), r.table.Cap6()} {
		for i := range size {
			e := r.table.Common(flow.MakeIndex(flow.Family(family), uint32(i+1)))
			if e.State != flow.StateNone && !r.others.owns(e) { // of what is not in use
				states = append(states, e.State)
			}
		}
	}
	return states
}

// checkVerdicts compares all counters, and that every frame has ended once.
func (r *rig) checkVerdicts(want Verdicts) {
	s := r.worker.Stats()
	var ended uint64
	if r.others != nil {
		assert.Equal(r, r.others.went, r.others.came, "packets of others")
		want = maps.Clone(want)
		want[packet.Forwarded] += r.others.came
	}
	for v := range packet.NumVerdicts {
		assert.Equal(r, want[v], s.Verdicts[v].Load(), "verdict %v", v)
		if v.Outcome() != packet.Undecided {
			ended += s.Verdicts[v].Load()
		}
	}
	assert.Equal(r, r.frames, s.Received.Load()+s.Generated.Load())
	assert.Equal(r, r.frames, ended, "frames that ended")
}

func (r *rig) checkLoads(want map[string]worker.Load) {
	if want == nil {
		return
	}
	got := map[string]worker.Load{}
	backends := r.world.Store.Load().Backends
	for id := range uint32(backends.Len()) {
		if b := backends.At(id); b.ID != 0 && b.Port != othersBackend {
			got[b.Addr.String()] = r.worker.Stats().Backend(b.ID)
		}
	}
	assert.Equal(r, want, got)
}

// TestFramesAreValid: the table's own frames are right where they do not say
// otherwise.
func TestFramesAreValid(t *testing.T) {
	locals := Locals{0, 40001, 40002, 40003, 40004, 40005, 40006, 40007, 40008, 40009}
	for _, c := range Cases() {
		for _, s := range c.Steps {
			for _, f := range append(append([]Frame{}, s.In...), s.Out...) {
				icmp := f.Packet.Proto == frame.ICMP || f.Packet.Proto == frame.ICMPv6 // the case's own bytes
				if f.Raw == nil && !icmp && !spoiled(s.In) {
					assert.NoError(t, frame.Valid(f.Bytes(&locals)), c.Name)
				}
			}
		}
	}
}

// spoiled says whether one of the frames has a wrong checksum on purpose.
func spoiled(frames []Frame) bool {
	return slices.ContainsFunc(frames, func(f Frame) bool {
		return f.Packet.SumError != 0 || f.Report != nil && f.Report.SumError != 0
	})
}
