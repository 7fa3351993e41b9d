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
	ReqAddrs uint64 // tuple of requests: CIP, VIP
	RepAddrs uint64 // tuple of replies as they arrive: RIP, and LIP (fullnat) or CIP (nat); 0 for dr and tun
	ReqPorts uint32
	RepPorts uint32
	Common
}

// RequestTuple is the tuple of requests as they arrive.
func (e *Entry4) RequestTuple() Tuple4 { return Tuple4{e.ReqAddrs, e.ReqPorts, e.Proto} }

// ReplyTuple is the tuple of replies as they arrive.
func (e *Entry4) ReplyTuple() Tuple4 { return Tuple4{e.RepAddrs, e.RepPorts, e.Proto} }

// hasReply says whether the flow's replies pass the gateway.
func (e *Entry4) hasReply() bool { return e.RepAddrs|uint64(e.RepPorts) != 0 }
