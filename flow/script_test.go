package flow

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
)

// A script is a sequence of changes to a table that follows from a seed: who
// knows the seed and how many were made knows what is in the table.
type script struct {
	random *rand.Rand
	flows  [scriptFlows]scriptFlow
	table  *Table // that they are made in; nil: they are only thought
	failed bool   // an insert was
	watch  func() // called before and after each call of the table; may be nil
}

const (
	scriptFlows    = 400
	scriptBackends = 8
	scriptBytes    = 100 // of every packet
)

type scriptFlow struct {
	index   Index
	life    int // how often the flow began: part of its tuple
	live    bool
	state   State
	packets uint64
}

func newScript(seed uint64, table *Table) *script {
	return &script{random: rand.New(rand.NewPCG(seed, 1)), table: table}
}

var scriptStates = []State{StateSynReceived, StateEstablished, StateFinWait, StateCloseWait}

// step makes the next change: half of them begin or end a flow.
func (s *script) step() {
	n, what := s.random.IntN(scriptFlows), s.random.IntN(4)
	f := &s.flows[n]
	switch {
	case !f.live:
		s.begin(n)
	case what < 2:
		f.live = false
		s.do(func() { s.table.Remove(f.index) })
	case what == 2:
		f.packets++
		s.do(func() {
			s.table.pass(f.index, Request, scriptBytes)
		})
	default:
		f.state = scriptStates[(int(f.packets)+what+n)%len(scriptStates)]
		s.do(func() { s.table.SetState(f.index, f.state) })
	}
}

func (s *script) begin(n int) {
	f := &s.flows[n]
	*f = scriptFlow{life: f.life + 1, live: true, state: StateSynReceived}
	e := f.entry(n)
	s.do(func() {
		var ok bool
		f.index, ok = e.insert(s.table)
		s.failed = s.failed || !ok
	})
}

// do changes the table.
func (s *script) do(change func()) {
	if s.table == nil {
		return
	}
	if s.watch != nil {
		s.watch()
		defer s.watch()
	}
	change()
}

// entry is the nth flow as it begins: odd ones are IPv6, in all modes in turn.
func (f *scriptFlow) entry(n int) entry {
	family := Family(n & 1)
	mode := service.Mode(n>>1&3) + service.ModeDR
	id := service.BackendID(n>>3%(scriptBackends/2)*2 + n&1 + 1)
	d := scriptIdentity(id)
	client := netip.AddrPortFrom(scriptAddr(family, 99, byte(n>>8), byte(n)), uint16(f.life))
	local := netip.AddrPortFrom(scriptAddr(family, 50, 0, 1), uint16(1024+n)) // the client keeps its own for nat
	if mode == service.ModeNAT {
		local = client
	}
	e := entry{family: family}
	e.Proto, e.Mode, e.State, e.Backend = packet.ProtoTCP, mode, f.state, id
	e.Sides[Request].Hop, e.Sides[Reply].Hop, e.NetEpoch = 7, 8, 9
	e.SetDeltas(uint16(n), uint16(n+1))
	request := tupleOf(client, netip.AddrPortFrom(d.Service.Addr, d.Service.Port))
	e.SetTuple(Request, &request)
	if mode == service.ModeNAT || mode == service.ModeFullNAT {
		reply := tupleOf(netip.AddrPortFrom(d.Addr, d.Port), local)
		e.SetTuple(Reply, &reply)
	}
	return e
}

// scriptIdentity is what a backend id means: odd ids are IPv4.
func scriptIdentity(id service.BackendID) Identity {
	f := Family((id + 1) & 1)
	return Identity{
		Service: service.Key{Proto: packet.ProtoTCP, Addr: scriptAddr(f, 10, 0, 1), Port: 80},
		Addr:    scriptAddr(f, 20, 0, byte(id)), Port: 80, Local: scriptAddr(f, 50, 0, 1),
	}
}

func scriptAddr(f Family, a, b, c byte) netip.Addr {
	if f == IPv4 {
		return netip.AddrFrom4([4]byte{10, a, b, c})
	}
	return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, a, b, 15: c})
}

// tupleOf is the TCP tuple from one end to another; IPv4 in the first words.
func tupleOf(src, dst netip.AddrPort) Tuple6 {
	t := Tuple6{Proto: packet.ProtoTCP}
	t.Ports = uint32(hostPort(uint32(src.Port()))) | uint32(hostPort(uint32(dst.Port())))<<16
	b := append(src.Addr().AsSlice(), dst.Addr().AsSlice()...)
	for i := 0; i < len(b); i += 8 {
		t.Addrs[i/8] = binary.LittleEndian.Uint64(b[i:])
	}
	return t
}

// scriptConfig is of a table in which a script has room.
func scriptConfig(path string) Config {
	return Config{Flows: scriptFlows / 2, Flows6: scriptFlows / 2, File: path, Backends: scriptBackends,
		Owners: Owners{Worker: 1, Workers: 2, Key: [40]byte{1, 2, 3}, Slots: [128]uint16{0, 1, 0, 1}}}
}

// newScripted makes a table for a script, its backends described.
func newScripted(path string) (*Table, error) {
	t, err := New(scriptConfig(path))
	for id := service.BackendID(1); err == nil && id <= scriptBackends; id++ {
		err = t.Describe(id, scriptIdentity(id))
	}
	return t, err
}

// adoptedID is what a backend of the script is called in the process that adopts.
func adoptedID(old service.BackendID) service.BackendID { return 100 - old }

func translateScript(d Identity) service.BackendID {
	for id := service.BackendID(1); id <= scriptBackends; id++ {
		if d == scriptIdentity(id) {
			return adoptedID(id)
		}
	}
	return 0
}
