package flow

import "github.com/sluice-lb/sluice/packet"

// tuple is a tuple of either family; IPv4 addresses are the first word, so that
// an IPv4 and an IPv6 tuple can be the same words.
type tuple struct {
	family Family
	Tuple6
}

func (k tuple) v4() Tuple4 { return Tuple4{k.Addrs[0], k.Ports, k.Proto} }

func (k tuple) hash(t *Table) uint64 {
	if k.family == IPv6 {
		return t.Hash6(&k.Tuple6)
	}
	return t.Hash(k.v4())
}

func (k tuple) find(t *Table) Ref {
	if k.family == IPv6 {
		return t.Find6(k.hash(t), &k.Tuple6)
	}
	return t.Find(k.hash(t), k.v4())
}

func (k tuple) has(t *Table) bool {
	if k.family == IPv6 {
		return t.Has6(&k.Tuple6)
	}
	return t.Has(k.v4())
}

func (k tuple) matches(t *Table, ref Ref) bool {
	if k.family == IPv6 {
		return t.Match6(ref, &k.Tuple6)
	}
	return t.Match(ref, k.v4())
}

// entry is an entry of either family; IPv4 addresses are the first words.
type entry struct {
	family Family
	Entry6
}

func (e *entry) v4() Entry4 {
	return Entry4{[2]uint64{e.Addrs[Request][0], e.Addrs[Reply][0]}, e.Common}
}

func (e *entry) request() tuple { return tuple{e.family, e.Tuple(Request)} }
func (e *entry) reply() tuple   { return tuple{e.family, e.Tuple(Reply)} }

func (e *entry) insert(t *Table) (Index, bool) {
	if e.family == IPv6 {
		return t.Insert6(e.Entry6)
	}
	return t.Insert(e.v4())
}

// entryAt copies the entry of an index.
func (t *Table) entryAt(i Index) entry {
	if i.IPv6() {
		return entry{IPv6, *t.At6(i)}
	}
	return asEntry(*t.At(i))
}

func asEntry(e Entry4) entry {
	return entry{IPv4, Entry6{Addrs: [2][4]uint64{{e.Addrs[Request]}, {e.Addrs[Reply]}}, Common: e.Common}}
}

// twoWay is the nth of many flows with both tuples.
func twoWay(n int) Entry4 {
	return Entry4{
		Addrs:  [2]uint64{uint64(n) | 0x0100000a<<32, 0x0200000a | uint64(n)<<32},
		Common: Common{Sides: [2]Side{{Ports: 0x5000_1234}, {Ports: 0x4321_5000}}, Proto: packet.ProtoTCP, State: StateEstablished},
	}
}

// twoWay6 is the same over IPv6: clients of one network, 2001:db8::n.
func twoWay6(n int) Entry6 {
	const network = 0xb80d0120
	return Entry6{
		Addrs:  [2][4]uint64{{network, uint64(n) << 32, network, 1 << 56}, {network, 2 << 56, network, uint64(n) << 32}},
		Common: Common{Sides: [2]Side{{Ports: 0x5000_1234}, {Ports: 0x4321_5000}}, Proto: packet.ProtoTCP, State: StateEstablished},
	}
}

// either is the nth of many flows of a family.
func either(f Family, n int) entry {
	if f == IPv6 {
		return entry{IPv6, twoWay6(n)}
	}
	return asEntry(twoWay(n))
}

// pass is what a worker does for every packet of a flow.
func (t *Table) pass(i Index, d Dir, bytes uint32) {
	c := t.Common(i)
	c.LastSeen = t.Now()
	if c.Sides[d].Counts.Full() {
		t.Settle(i)
	}
	c.Sides[d].Counts = c.Sides[d].Counts.Plus(uint64(bytes))
}
