package flow

// Tuple6 is an IPv6 five-tuple as it stands in a packet. It is passed by
// pointer: 48 bytes.
type Tuple6 struct {
	// Addrs are the 32 bytes of both addresses of an IPv6 header as four
	// little-endian words: source bytes 0-7 and 8-15, destination 0-7 and 8-15.
	Addrs [4]uint64
	Ports uint32 // raw, as in Tuple4: source port in the low half, destination in the high half
	Proto uint8
}

// Reverse is the tuple of the opposite direction.
func (t *Tuple6) Reverse() Tuple6 {
	a := &t.Addrs
	return Tuple6{[4]uint64{a[2], a[3], a[0], a[1]}, t.Ports>>16 | t.Ports<<16, t.Proto}
}

// Entry6 is the hot part of an IPv6 flow: 128 bytes, two cache lines. The
// addresses fill the first, what forwarding decides by stands in the second.
type Entry6 struct {
	Req      [4]uint64 // addresses of requests, as in Tuple6: CIP, VIP
	Rep      [4]uint64 // of replies as they arrive: RIP, and LIP (fullnat) or CIP (nat); 0 for dr and tun
	ReqPorts uint32
	RepPorts uint32
	Common
	_ [16]byte
}

// RequestTuple is the tuple of requests as they arrive.
func (e *Entry6) RequestTuple() Tuple6 { return Tuple6{e.Req, e.ReqPorts, e.Proto} }

// ReplyTuple is the tuple of replies as they arrive.
func (e *Entry6) ReplyTuple() Tuple6 { return Tuple6{e.Rep, e.RepPorts, e.Proto} }

// hasReply says whether the flow's replies pass the gateway.
func (e *Entry6) hasReply() bool {
	return e.Rep[0]|e.Rep[1]|e.Rep[2]|e.Rep[3]|uint64(e.RepPorts) != 0
}
