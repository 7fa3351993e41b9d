package worker

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

// TestTunnelsAgree: tunnels does what rewrite does, for both families in both, with any
// TOS, TTL, identification, flow label and padding, with DF and without, of sizes about
// the most that fits.
func TestTunnelsAgree(t *testing.T) {
	const clients = 40
	limits := DefaultLimits()
	limits.Answers = 1 << 31
	services := both(service.ModeTun, frame.UDP, 80)
	four, six := services[0].Backends, services[1].Backends
	four[1], six[1] = six[1], four[1] // an IPv4 and an IPv6 tunnel for each
	var rigs [2]*rig
	for i := range rigs {
		rigs[i] = newRig(t, options{flows: clients, flows6: clients, seed: 7, limits: &limits})
		rigs[i].random = 1
		rigs[i].world.Configure(services...)
	}
	random := rand.New(rand.NewPCG(8, 8))
	for range 800 {
		var burst [][]byte // one packet a flow: plain ones come before others
		for _, c := range random.Perm(clients)[:1+random.IntN(clients)] {
			burst = append(burst, strange(random, uint16(c)))
		}
		step(t, rigs, 0, burst...)
	}
	for _, v := range []packet.Verdict{packet.Forwarded, packet.AnsweredTTL, packet.AnsweredTooBig, packet.DropTooBig} {
		require.Greater(t, rigs[0].count(v), 20, v)
	}
}

// strange is a frame of a client whose header has anything that an outer one may take
// over, and what it may not.
func strange(random *rand.Rand, client uint16) []byte {
	p := request(frame.UDP, 80, client)
	if client%2 == 1 {
		p = request6(frame.UDP, 80, client)
	}
	p.TOS, p.TTL, p.ID, p.DF = byte(random.Uint32()), 1+byte(random.IntN(255)), uint16(random.Uint32()), random.IntN(2) == 0
	if random.IntN(20) == 0 {
		p.TTL = 1
	}
	p.Padding, p.Payload = random.IntN(30), make([]byte, 12+random.IntN(1400))
	if random.IntN(2) == 0 { // 20 or 40 bytes in front fit, or just not
		p.Payload = make([]byte, 1500-48-20*random.IntN(3)+random.IntN(5)-2)
	}
	b := p.Bytes()
	if p.IsIPv6() {
		b[15] |= byte(random.IntN(16))
		binary.BigEndian.PutUint16(b[16:], uint16(random.Uint32()))
	}
	return b
}

// TestTunnelsWithoutHeadroom: a plain packet without room for the outer header is
// dropped for that.
func TestTunnelsWithoutHeadroom(t *testing.T) {
	r := newRig(t, options{flows: 10})
	r.world.Configure(both(service.ModeTun, frame.UDP, 80)...)
	f := request(frame.UDP, 80, 1).Bytes()
	r.arrive(0, f)
	r.poll()
	r.ports[0].Queue(crowd(r.pool.Copy(f), f))
	r.poll()
	require.EqualValues(t, 1, r.count(packet.Forwarded))
	require.EqualValues(t, 1, r.count(packet.DropNoHeadroom))
}

// TestMultitude: with so many backends that theirs is loaded ahead, packets of each go
// where they should, and are counted.
func TestMultitude(t *testing.T) {
	const backends = multitude + 200
	shared := world.New(1)
	shared.Configure(manyBackends(backends))
	r := newRig(t, options{flows: 2 * backends, world: shared})
	require.Nil(t, newRig(t, options{flows: 1}).owned.Loads)
	require.NotNil(t, r.owned.Loads)
	for turn := range 3 {
		for i := range backends {
			r.arrive(0, request(frame.UDP, 53, uint16(1+i)).Bytes())
			if i%50 == 49 {
				r.poll()
			}
		}
		r.poll()
		require.EqualValues(t, (turn+1)*backends, r.count(packet.Forwarded))
	}
	r.publishAll()
	for id := service.BackendID(1); id <= backends; id++ {
		require.EqualValues(t, 3, r.Stats().Backend(id).InPackets, "backend %d", id)
	}
}
