package flow

// Hash is the table's hash of a tuple, different in every table and process.
func (t *Table) Hash(k Tuple4) uint64 { return t.keys.hash4(k) }

// Candidate is the first ref of the hash's home bucket whose tag fits, 0 when
// there is none, for hashes of either family. Match (Match6) tells whether it is
// the one; if not, only Find (Find6) knows.
func (t *Table) Candidate(hash uint64) Ref { return t.index.candidate(hash) }

// Match says whether the tuple is that of the ref. False for ref 0 and refs of
// IPv6 flows.
func (t *Table) Match(ref Ref, k Tuple4) bool {
	if ref&refIPv6 != 0 {
		return false
	}
	e := &t.hot4[ref.Index()]
	d := ref.Dir()
	return e.Addrs[d]^k.Addrs|uint64(e.Ports[d]^k.Ports)|uint64(e.Proto^k.Proto) == 0 && ref != 0
}

// Find is the ref of a tuple, 0 when it is not in the table. hash is its Hash.
func (t *Table) Find(hash uint64, k Tuple4) Ref {
	p := t.index.probe(hash)
	for {
		ref := t.index.next(&p)
		if ref == 0 || t.Match(ref, k) {
			return ref
		}
	}
}

// Has says whether a tuple is in the table.
func (t *Table) Has(k Tuple4) bool { return t.Find(t.Hash(k), k) != 0 }
