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

// Is says whether both are the same: without the call that == is.
func (t *Tuple6) Is(k *Tuple6) bool {
	a, b := &t.Addrs, &k.Addrs
	differs := (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])
	return differs|uint64(t.Ports^k.Ports)|uint64(t.Proto^k.Proto) == 0
}

// Entry6 is the hot part of an IPv6 flow: 128 bytes, two cache lines. The
// addresses fill the first, what forwarding decides by stands in the second.
type Entry6 struct {
	Addrs [2][4]uint64 // by Dir, each as in Tuple6: see Entry4
	Common
	_ [16]byte
}

// Tuple is the tuple of packets in direction d as they arrive.
func (e *Entry6) Tuple(d Dir) Tuple6 { return Tuple6{e.Addrs[d&1], e.Sides[d&1].Ports, e.Proto} }

// Out is Entry4's.
func (e *Entry6) Out(d Dir) Tuple6 {
	t := e.Tuple(d ^ 1)
	return t.Reverse()
}

// SetTuple sets the addresses and ports of packets in direction d.
func (e *Entry6) SetTuple(d Dir, t *Tuple6) { e.Addrs[d&1], e.Sides[d&1].Ports = t.Addrs, t.Ports }

// hasReply says whether the flow's replies pass the gateway.
func (e *Entry6) hasReply() bool { return e.Addrs[Reply] != [4]uint64{} || e.Sides[Reply].Ports != 0 }
