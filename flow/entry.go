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

// Dir is the direction in which the packet goes.
func (r Ref) Dir() Dir { return Dir(r & 1) }

// Common is what entries of both families have: all but the tuples, 40 bytes.
// With a tuple it is all that a packet of a flow reads and writes.
type Common struct {
	Proto    uint8
	Mode     service.Mode
	State    State
	Flags    uint8  // of the table: in use
	LastSeen uint32 // table ticks

	IPDelta uint16 // IPv4 only: added to the header's checksum of a request (RFC 1624), subtracted for replies
	L4Delta uint16 // the same for TCP and UDP: addresses and ports

	Backend  service.BackendID
	NetEpoch uint32               // service.Net.Epoch for which both hops hold
	Hop      [2]service.NextHopID // by Dir: towards the backend, towards the client; 0: to be resolved

	packets [2]uint16 // by Dir: not yet in the cold part
	bytes   [2]uint32
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

// settleAt packets of one direction are moved to the cold part: before 16 bits
// of packets overflow, or 32 of their bytes, at 65535 a packet.
const settleAt = 1 << 15

// Count adds a packet of that many bytes to a flow. Entries count up to
// settleAt packets themselves, so that a packet touches one cache line.
func (t *Table) Count(i Index, c *Common, d Dir, bytes uint32) {
	d &= 1
	c.bytes[d] += bytes
	c.packets[d]++
	if c.packets[d] == settleAt {
		t.settle(i, c)
	}
}

// settle moves what an entry counted to its cold part.
func (t *Table) settle(i Index, c *Common) {
	t.cold(i).Counters = t.Counters(i)
	c.packets, c.bytes = [2]uint16{}, [2]uint32{}
}

// Counters are all that passed of a flow of either family.
func (t *Table) Counters(i Index) Counters {
	c, sum := t.common(i), t.cold(i).Counters
	for d := range c.packets {
		sum.Packets[d] += uint64(c.packets[d])
		sum.Bytes[d] += uint64(c.bytes[d])
	}
	return sum
}

// SetNote keeps a number of the caller's with a flow until it ends; it is 0 in a
// new one.
func (t *Table) SetNote(i Index, note uint32) { t.cold(i).note = note }

// Note is the number that SetNote kept.
func (t *Table) Note(i Index) uint32 { return t.cold(i).note }

// Created is the tick in which a flow of either family began.
func (t *Table) Created(i Index) uint32 { return t.cold(i).created }
