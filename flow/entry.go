package flow

import "github.com/sluice-lb/sluice/service"

// Tuple4 is an IPv4 five-tuple as it stands in a packet: words loaded
// little-endian from network byte order, so that reading and writing it needs
// no byte swap.
type Tuple4 struct {
	Addrs uint64 // source address in the low half, destination in the high half
	Ports uint32 // source port in the low half, destination in the high half
	Proto uint8
}

// Reverse is the tuple of the opposite direction.
func (t Tuple4) Reverse() Tuple4 {
	return Tuple4{t.Addrs>>32 | t.Addrs<<32, t.Ports>>16 | t.Ports<<16, t.Proto}
}

// Dir tells which of a flow's two tuples a packet carries.
type Dir uint8

// Directions.
const (
	Request Dir = 0 // client to backend
	Reply   Dir = 1 // backend to client
)

// Index names an entry of a table; 0 names none. It never changes during the
// life of the flow.
type Index uint32

// Ref is what a look-up finds: an entry and the direction of the tuple. 0: none.
type Ref uint32

// MakeRef joins an index and a direction.
func MakeRef(i Index, d Dir) Ref { return Ref(i)<<1 | Ref(d) }

// Index is the entry; Dir the direction in which the packet goes.
func (r Ref) Index() Index { return Index(r >> 1) }

// Dir is the direction in which the packet goes.
func (r Ref) Dir() Dir { return Dir(r & 1) }

// Entry4 is the hot part of an IPv4 flow: 64 bytes, one cache line, all that
// forwarding a packet reads. The rewrite follows from the tuples: a request
// leaves with Rep reversed, a reply with Req reversed.
type Entry4 struct {
	ReqAddrs uint64 // tuple of requests: CIP, VIP
	RepAddrs uint64 // tuple of replies as they arrive: RIP, and LIP (fullnat) or CIP (nat); 0 for dr and tun
	ReqPorts uint32
	RepPorts uint32
	Proto    uint8
	Mode     service.Mode
	State    State
	Flags    uint8  // of the table: in use
	LastSeen uint32 // table ticks

	IPDelta uint16 // added to the IPv4 header's checksum of a request (RFC 1624), subtracted for replies
	L4Delta uint16 // the same for TCP and UDP: addresses and ports

	Service  service.ID
	Backend  service.BackendID
	HopReq   service.NextHopID // towards the backend; 0: to be resolved
	HopRep   service.NextHopID // towards the client; 0: to be resolved
	NetEpoch uint32            // service.Net.Epoch for which both hops hold

	wheelNext, wheelPrev uint32 // timer wheel's list
}

// Request and Reply tuples of the entry.
func (e *Entry4) RequestTuple() Tuple4 { return Tuple4{e.ReqAddrs, e.ReqPorts, e.Proto} }

// ReplyTuple is the tuple of replies as they arrive.
func (e *Entry4) ReplyTuple() Tuple4 { return Tuple4{e.RepAddrs, e.RepPorts, e.Proto} }

// Cold is the part of a flow that forwarding only counts into.
type Cold struct {
	InPackets, InBytes   uint64 // client to backend; bytes of IP packets
	OutPackets, OutBytes uint64 // backend to client
	Created              uint32 // table ticks
	_                    uint32
}
