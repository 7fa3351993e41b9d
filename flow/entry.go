package flow

import "github.com/sluice-lb/sluice/service"

// Dir tells which of a flow's two tuples a packet carries.
type Dir uint8

// Directions.
const (
	Request Dir = 0 // client to backend
	Reply   Dir = 1 // backend to client
)

// Other is the opposite direction.
func (d Dir) Other() Dir { return d ^ 1 }

// Family is the IP version of a flow's tuples.
type Family uint8

// Families.
const (
	IPv4 Family = iota
	IPv6
	numFamilies
)

// Index names an entry of a table; 0 names none. It never changes during the
// life of the flow. The families count apart, from 1 on; a bit tells them.
type Index uint32

const (
	familyBit  = 30
	familyMask = Index(1) << familyBit // set: an IPv6 entry
)

// MakeIndex is the index of the nth entry of a family, n from 1 on.
func MakeIndex(f Family, n uint32) Index { return Index(f)<<familyBit | Index(n) }

// IPv6 says whether the entry is an IPv6 flow's (At6), not an IPv4 flow's (At).
func (i Index) IPv6() bool { return i&familyMask != 0 }

// Family is the index's family.
func (i Index) Family() Family { return Family(i >> familyBit & 1) }

// position is the entry's place in its family's array.
func (i Index) position() uint32 { return uint32(i &^ familyMask) }

// Ref is what a look-up finds: an entry and the direction of the tuple. 0: none.
type Ref uint32

// refIPv6 is the family's bit in a Ref.
const refIPv6 = Ref(familyMask) << 1

// MakeRef joins an index and a direction.
func MakeRef(i Index, d Dir) Ref { return Ref(i)<<1 | Ref(d) }

// Index is the entry.
func (r Ref) Index() Index { return Index(r >> 1) }

// IPv6 says whether the entry is an IPv6 flow's.
func (r Ref) IPv6() bool { return r&refIPv6 != 0 }

// Dir is the direction in which the packet goes.
func (r Ref) Dir() Dir { return Dir(r & 1) }

// Common is what entries of both families have: all but the addresses, 48 bytes.
// With them it is all that a packet of a flow reads and writes.
type Common struct {
	Sides [2]Side // by Dir

	Proto    uint8
	Mode     service.Mode
	State    State
	Flags    uint8  // of the table: in use
	LastSeen uint32 // table ticks
	Backend  service.BackendID
	NetEpoch uint32 // service.Net.Epoch for which both hops hold
}

// Side is one direction of a flow: its packets as they arrive, where they leave, and
// how many have passed that are not yet counted in the cold part.
type Side struct {
	Ports uint32            // raw, as in Tuple4
	Hop   service.NextHopID // towards the backend or the client; 0: to be resolved

	Counts Counts
}

// Counts are what has passed of a side, in one word: bytes in the low 30 bits, then
// packets in 16. The last 16 are no count: of requests the delta of the IPv4 header's
// sum, of replies that of TCP's and UDP's; see Deltas.
type Counts uint64

// Fields of Counts. A side is full long before one runs into the next.
const (
	onePacket = 1 << 30
	isFull    = onePacket << 14 // packets: 16384; of 65535 bytes at most each
	deltaBit  = 48
)

// SetDeltas sets what a request's rewrite adds to the sums of its IPv4 header (0 for
// IPv6) and of TCP or UDP (RFC 1624 eqn. 3).
func (c *Common) SetDeltas(ip, l4 uint16) {
	c.Sides[Request].setDelta(ip)
	c.Sides[Reply].setDelta(l4)
}

func (s *Side) setDelta(delta uint16) { s.Counts = s.Counts&(1<<deltaBit-1) | Counts(delta)<<deltaBit }

// Deltas are what the rewrite of a packet in direction d adds to both sums: for
// replies the complement, all bits flipped without a branch, because directions
// cannot be predicted.
func (c *Common) Deltas(d Dir) (ip, l4 uint16) {
	sign := -uint16(d & 1)
	return uint16(c.Sides[Request].Counts>>deltaBit) ^ sign, uint16(c.Sides[Reply].Counts>>deltaBit) ^ sign
}

// cold is the part of a flow that most packets leave alone.
type cold struct {
	Counters
	created              uint32 // table ticks
	wheelNext, wheelPrev uint32 // timer wheel's list, or the free list
	note                 uint32 // the caller's
}

// Counters are what passed of a flow, by Dir; bytes of IP packets.
type Counters struct {
	Packets, Bytes [2]uint64
}

// Plus is the counts after a packet of at most 65535 bytes, of a side that is not full.
// Entries count some packets themselves, so that a packet touches one cache line.
func (c Counts) Plus(bytes uint64) Counts { return c + (Counts(bytes) + onePacket) }

// Full says whether Table.Settle must come before the next packet is counted.
func (c Counts) Full() bool { return c&isFull != 0 }

func (s *Side) bytes() uint64   { return uint64(s.Counts & (onePacket - 1)) }
func (s *Side) packets() uint64 { return uint64(s.Counts / onePacket & 0xffff) }
func (s *Side) clear()          { s.Counts &^= 1<<deltaBit - 1 }

// Settle moves what an entry of either family counted to its cold part.
func (t *Table) Settle(i Index) {
	t.cold(i).Counters = t.Counters(i)
	for d := range t.common(i).Sides {
		t.common(i).Sides[d].clear()
	}
}

// Counters are all that passed of a flow of either family.
func (t *Table) Counters(i Index) Counters {
	return sum(t.common(i), t.cold(i).Counters)
}

// sum adds what an entry counted to what is in its cold part.
func sum(c *Common, total Counters) Counters {
	for d := range c.Sides {
		total.Packets[d] += c.Sides[d].packets()
		total.Bytes[d] += c.Sides[d].bytes()
	}
	return total
}

// SetNote keeps a number of the caller's with a flow until it ends; it is 0 in a
// new one.
func (t *Table) SetNote(i Index, note uint32) { t.cold(i).note = note }

// Note is the number that SetNote kept.
func (t *Table) Note(i Index) uint32 { return t.cold(i).note }

// Created is the tick in which a flow of either family began.
func (t *Table) Created(i Index) uint32 { return t.cold(i).created }
