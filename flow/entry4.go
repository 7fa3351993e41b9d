package flow

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

// Entry4 is the hot part of an IPv4 flow: 64 bytes, one cache line, all that
// forwarding a packet reads. The rewrite follows from the tuples: a request
// leaves with Rep reversed, a reply with Req reversed.
type Entry4 struct {
	// Addrs are those of the tuples, by Dir, as packets arrive. Requests: CIP, VIP.
	// Replies: RIP, and LIP (fullnat) or CIP (nat); 0 for dr and tun.
	Addrs [2]uint64
	Common
}

// Tuple is the tuple of packets in direction d as they arrive.
func (e *Entry4) Tuple(d Dir) Tuple4 { return Tuple4{e.Addrs[d&1], e.Sides[d&1].Ports, e.Proto} }

// Out is the tuple with which a nat or fullnat flow's packets leave that came in
// direction d: the other direction's, reversed.
func (e *Entry4) Out(d Dir) Tuple4 { return e.Tuple(d ^ 1).Reverse() }

// SetTuple sets the addresses and ports of packets in direction d.
func (e *Entry4) SetTuple(d Dir, t Tuple4) { e.Addrs[d&1], e.Sides[d&1].Ports = t.Addrs, t.Ports }

// hasReply says whether the flow's replies pass the gateway.
func (e *Entry4) hasReply() bool { return e.Addrs[Reply]|uint64(e.Sides[Reply].Ports) != 0 }
