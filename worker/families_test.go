package worker

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
)

const (
	cip6 = "2001:db8:7::7"
	vip6 = "2001:db8:10::10"
	lip6 = "fd00::200"
)

// TestToeplitz6: the verification suite that Microsoft published for RSS, IPv6
// with ports.
func TestToeplitz6(t *testing.T) {
	for _, c := range []struct {
		src, dst string
		hash     uint32
	}{
		{"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d},
		{"[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0xdde51bbf},
		{"[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024", 0x02d1feef},
	} {
		src, dst := netip.MustParseAddrPort(c.src), netip.MustParseAddrPort(c.dst)
		tuple := flow.Tuple6{Ports: uint32(hostPort(src.Port())) | uint32(hostPort(dst.Port()))<<16, Proto: 6}
		tuple.Addrs[0], tuple.Addrs[1] = rawAddress6(src.Addr())
		tuple.Addrs[2], tuple.Addrs[3] = rawAddress6(dst.Addr())
		assert.Equal(t, c.hash, toeplitz6(&tuple), c.src)
	}
}

// both are a service of mode for each family; the backends' port is 8080 where
// they may have one of their own. tun's tunnels are of the other family.
func both(mode service.Mode, proto uint8, port uint16) []world.Service {
	four := world.Service{Proto: proto, VIP: vip, Port: port, Mode: mode, Locals: []string{lip}}
	six := four
	six.VIP, six.Locals = vip6, []string{lip6}
	four.Backends = []world.Backend{{Addr: "10.0.0.1"}, {Addr: "10.0.0.2"}}
	six.Backends = []world.Backend{{Addr: "fd00::1"}, {Addr: "fd00::2"}}
	if mode == service.ModeTun {
		four.Backends, six.Backends = six.Backends, four.Backends
	}
	for i := range 2 {
		switch mode {
		case service.ModeNAT, service.ModeFullNAT:
			four.Backends[i].Port, six.Backends[i].Port = 8080, 8080
		case service.ModeTun:
			four.Backends[i].Local, six.Backends[i].Local = lip6, lip
		}
	}
	return []world.Service{four, six}
}

// request6 is request over IPv6.
func request6(proto uint8, port, cport uint16) frame.Packet {
	p := request(proto, port, cport)
	p.Src, p.Dst = cip6, vip6
	return p
}

// turned is the answer to a frame from where it went, with its tuple turned.
func turned(f []byte) []byte {
	out := append([]byte(nil), f...)
	copy(out[0:6], f[6:12])
	copy(out[6:12], f[0:6])
	at, n := 26, 4
	if f[14]>>4 == 6 {
		at, n = 22, 16
	}
	copy(out[at:at+n], f[at+n:at+2*n])
	copy(out[at+n:at+2*n], f[at:at+n])
	l4 := frame.L4(f)
	copy(out[l4:l4+2], f[l4+2:l4+4])
	copy(out[l4+2:l4+4], f[l4:l4+2])
	return out
}

// report is an ICMP error about a frame that we sent, from where it went, to its
// source.
func report(f []byte) []byte {
	out := frame.ICMPError{Type: 3, Code: 1}
	if f[14]>>4 == 6 {
		out = frame.ICMPError{Type: 1, Code: 3}
	}
	return out.Answer(f)
}

// TestTwoWorkersTranslate: nat and fullnat of both families. Requests, replies and
// errors about requests arrive at any worker and end at the one with the flow.
func TestTwoWorkersTranslate(t *testing.T) {
	const clients = 100
	for _, mode := range []service.Mode{service.ModeNAT, service.ModeFullNAT} {
		p := newPair(t)
		p.workers[0].world.Configure(both(mode, frame.TCP, 80)...)
		for i := range clients {
			p.workers[i%2].arrive(0, request(frame.TCP, 80, uint16(20000+i)).Bytes(), request6(frame.TCP, 80, uint16(20000+i)).Bytes())
		}
		p.work(2 * clients)
		requests := p.sent[1]
		require.Len(t, requests, 2*clients, mode)
		for i, f := range requests {
			p.workers[i/3%2].arrive(1, turned(f), report(f))
		}
		p.work(6 * clients)
		p.checkTranslated(mode, clients)
	}
}

func (p *pair) checkTranslated(mode service.Mode, clients int) {
	replies, errors := map[string]bool{}, map[string]bool{}
	for _, f := range p.sent[0] {
		require.NoError(p.t, frame.Valid(f))
		src, dst, proto := f[26:30], f[30:34], f[23]
		if f[14]>>4 == 6 {
			src, dst, proto = f[22:38], f[38:54], f[20]
		}
		assert.Contains(p.t, []string{string(frame.IP(vip)), string(frame.IP(vip6))}, string(src))
		assert.Contains(p.t, []string{string(frame.IP(cip)), string(frame.IP(cip6))}, string(dst))
		if l4 := frame.L4(f); proto == frame.TCP {
			replies[string(dst)+string(f[l4+2:l4+4])] = true
		} else {
			quoted := f[l4+8:]
			errors[string(dst)+string(append(f[:14:14], quoted...)[frame.L4(append(f[:14:14], quoted...)):][:2])] = true
		}
	}
	assert.Len(p.t, replies, 2*clients, "%v: each client got its reply", mode)
	assert.Len(p.t, errors, 2*clients, "%v: each client heard of the error", mode)
	for id, w := range p.workers {
		w.checkSums()
		assert.Positive(p.t, w.count(packet.Handover), "%v: worker %d handed over", mode, id)
		assert.Zero(p.t, w.takeKernel())
		assert.Greater(p.t, w.table.Len6(), clients/4, "worker %d has its share", id)
		assert.Greater(p.t, w.table.Len()-w.table.Len6(), clients/4, "worker %d has its share", id)
		for i := range w.table.Cap6() {
			e := w.table.At6(flow.MakeIndex(flow.IPv6, uint32(i+1)))
			if reply := e.Tuple(flow.Reply); mode == service.ModeFullNAT && e.State != flow.StateNone {
				assert.Equal(p.t, id, owner(toeplitz6(&reply), 2), "owner of the replies")
			}
		}
	}
	assert.Equal(p.t, 6*clients, p.workers[0].count(packet.Forwarded)+p.workers[1].count(packet.Forwarded))
	assert.Zero(p.t, p.workers[0].pool.InUse())
}

// TestTransit: what passes the gateway without being ours stays with the worker
// that got it, unless there is a service of mode nat, whose reply it may be.
func TestTransit(t *testing.T) {
	for _, mode := range []service.Mode{service.ModeDR, service.ModeTun, service.ModeFullNAT, service.ModeNAT} {
		r := newRig(t, options{flows: 10, flows6: 10, world: world.New(2), peers: NewPeers(2, 64), rings: 128})
		r.world.Configure(both(mode, frame.TCP, 80)...)
		away := func(p frame.Packet, dst string) []byte { return bytes(p, func(p *frame.Packet) { p.Dst = dst }) }
		for i := range uint16(20) {
			r.arrive(0, away(request(frame.TCP, 80, 1000+i), "198.51.100.7"), away(request6(frame.UDP, 80, 1000+i), "2001:db8:99::1"))
			r.arrive(0, away(request(frame.TCP, 1000+i, 80), "198.51.100.7"), away(request6(frame.UDP, 1000+i, 80), "2001:db8:99::1"))
		}
		r.poll()
		handed := r.count(packet.Handover)
		if mode == service.ModeNAT {
			assert.Greater(t, handed, 10)
		} else {
			assert.Zero(t, handed, mode)
		}
		assert.Equal(t, 80-handed, r.takeKernel(), mode)
		r.checkSums()
	}
}

// TestSYNFlood: open connections outlive a flood of new ones of either family,
// and the newest of these get in, when it is slow enough for the handshakes
// among them.
func TestSYNFlood(t *testing.T) {
	const size, open, flood = 1000, 300, 5000
	r := newRig(t, options{flows: size, flows6: size})
	r.world.Configure(both(service.ModeFullNAT, frame.TCP, 80)...)
	kinds := []func(proto uint8, port, cport uint16) frame.Packet{request, request6}
	ack := func(p *frame.Packet) { p.Flags = frame.ACK }
	for i := range uint16(open) {
		for _, kind := range kinds {
			r.arrive(0, kind(frame.TCP, 80, 1+i).Bytes(), bytes(kind(frame.TCP, 80, 1+i), ack))
		}
		r.poll()
	}
	full := 0
	for i := range uint16(flood) {
		for _, kind := range kinds {
			r.arrive(0, kind(frame.TCP, 80, 1+open+i).Bytes())
		}
		if i%20 == 0 {
			r.later(2 * flow.Handshake * 20 / (size - open))
			r.poll()
		}
	}
	r.poll()
	full = r.count(packet.DropTableFull)
	assert.Less(t, full, 2*flood/100, "of new ones") // while the hand passes the run of open ones
	assert.EqualValues(t, 2*(open+flood)-full, r.stats.created)
	assert.EqualValues(t, 2*(open+flood-size)-full, r.stats.evicted)
	assert.Equal(t, 2*size, r.table.Len())
	before := r.count(packet.Forwarded)
	for i := range uint16(open) {
		for _, kind := range kinds {
			r.arrive(0, bytes(kind(frame.TCP, 80, 1+i), ack))
		}
		r.poll()
	}
	assert.Equal(t, before+2*open, r.count(packet.Forwarded), "open ones go on")
	active := uint32(0)
	for id := range service.BackendID(5) {
		active += r.Active(id)
		assert.Zero(t, r.Inactive(id))
	}
	assert.EqualValues(t, 2*size, active, "what was evicted is not counted any more")
	r.checkSums()
}

// TestNothingAllocatesInAnyMode: packets, replies and errors of both families in
// all modes, with new flows, tags, and evictions.
func TestNothingAllocatesInAnyMode(t *testing.T) {
	r := newRig(t, options{flows: 40, flows6: 40})
	var all []world.Service
	for mode := service.ModeDR; mode <= service.ModeTun; mode++ {
		all = append(all, both(mode, frame.TCP, 80+uint16(mode))...)
		all = append(all, both(mode, frame.UDP, 80+uint16(mode))...)
	}
	r.world.Configure(all...)
	frames := [2][][]byte{r.anyMode()}
	r.ports[1].Sent = func(b []byte) {
		if proto := b[frame.L3(b)+6]; b[14]>>4 == 4 && b[23] == frame.TCP || b[14]>>4 == 6 && proto == frame.TCP {
			frames[1] = append(frames[1], turned(b), report(b))
		}
	}
	round := func() {
		for port := range frames {
			for _, f := range frames[port] {
				r.ports[port].Receive(f)
			}
		}
		r.poll()
		r.later(2 * flow.Handshake)
	}
	round()
	r.ports[1].Sent = nil
	require.Len(t, frames[1], 2*2*3*2, "replies and errors: two families, dr too (which are strangers'), tagged or not")
	fresh := [2][]byte{request(frame.UDP, 82, 0).Bytes(), request6(frame.UDP, 83, 0).Bytes()}
	next := uint16(0)
	assert.Zero(t, testing.AllocsPerRun(20, func() {
		round()
		for range 60 {
			next++
			binary.BigEndian.PutUint16(fresh[0][34:], next)
			binary.BigEndian.PutUint16(fresh[1][54:], next)
			r.arrive(0, fresh[0], fresh[1])
		}
		r.poll()
		for _, ring := range r.cfg.Kernel.To {
			for n := ring.Pop(&r.in, packet.BurstSize); n > 0; n = ring.Pop(&r.in, packet.BurstSize) {
				r.pool.Free(&r.in, n)
			}
		}
	}))
	assert.Positive(t, r.stats.evicted)
	assert.Positive(t, r.count(packet.Forwarded))
	assert.Zero(t, r.pool.InUse())
	r.checkSums()
}

// anyMode are requests for every service, tagged and not.
func (r *rig) anyMode() (frames [][]byte) {
	for mode := service.ModeDR; mode <= service.ModeTun; mode++ {
		for _, proto := range []uint8{frame.TCP, frame.UDP} {
			port := 80 + uint16(mode)
			for _, p := range []frame.Packet{request(proto, port, 5000), request6(proto, port, 5000)} {
				tagged := bytes(p, func(p *frame.Packet) { p.VLAN, p.SrcPort = world.VLAN21, 5001 })
				frames = append(frames, p.Bytes(), tagged)
			}
		}
	}
	return frames
}
