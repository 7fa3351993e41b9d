package flow

// Hash6 is Hash of an IPv6 tuple.
func (t *Table) Hash6(k *Tuple6) uint64 {
	src, dst := t.HashAddrs6(k.Addrs[0], k.Addrs[1], k.Addrs[2], k.Addrs[3])
	return t.HashPorts6(src, dst, k.Ports, k.Proto)
}

// HashAddrs6 and HashPorts6 are the halves of Hash6, for loops to inline: the
// second wants what the first returned of Tuple6.Addrs.
func (t *Table) HashAddrs6(a, b, c, d uint64) (src, dst uint64) { return t.keys.addrs6(a, b, c, d) }

// HashPorts6 is the second half of Hash6.
func (t *Table) HashPorts6(src, dst uint64, ports uint32, proto uint8) uint64 {
	return t.keys.ports6(src, dst, ports, proto)
}

// Match6 says whether the tuple is that of the ref. False for ref 0 and refs of
// IPv4 flows.
func (t *Table) Match6(ref Ref, k *Tuple6) bool {
	if ref&refIPv6 == 0 {
		return false
	}
	e := &t.hot6[ref.Index().position()]
	addrs, ports := &e.Addrs[ref.Dir()], e.Sides[ref.Dir()].Ports
	differs := (addrs[0] ^ k.Addrs[0]) | (addrs[1] ^ k.Addrs[1]) | (addrs[2] ^ k.Addrs[2]) | (addrs[3] ^ k.Addrs[3])
	return differs|uint64(ports^k.Ports)|uint64(e.Proto^k.Proto) == 0
}

// Find6 is the ref of a tuple, 0 when it is not in the table. hash is its Hash6.
func (t *Table) Find6(hash uint64, k *Tuple6) Ref {
	tag := tagOf(hash)
	for b := &t.index.buckets[t.index.home(hash)]; ; b = &t.index.buckets[b.next] {
		for found := b.match(tag); found != 0; found &= found - 1 {
			if ref := b.refs[found.first()]; t.Match6(ref, k) {
				return ref
			}
		}
		if b.next == 0 {
			return 0
		}
	}
}

// Has6 says whether a tuple is in the table.
func (t *Table) Has6(k *Tuple6) bool { return t.Find6(t.Hash6(k), k) != 0 }
