package flow

// Scan visits the flows from index from (0 to begin) on, the IPv4 ones first,
// looking at no more than budget entries, and returns where to go on; 0 when
// that was all. Flows may come and go between calls; one that lives throughout
// is visited once. visit must not insert or remove.
func (t *Table) Scan(from Index, budget int, visit func(Index, *Cold)) (next Index) {
	i := max(from, 1)
	for ; budget > 0 && i != 0; budget-- {
		if t.common(i).Flags&flagUsed != 0 {
			visit(i, t.cold(i))
		}
		i = t.after(i)
	}
	return i
}

// after is the entry behind i: of IPv6 behind the last of IPv4, 0 behind the last.
func (t *Table) after(i Index) Index {
	f := i.Family()
	if int(i.position()) < t.pools[f].size {
		return i + 1
	}
	if f == IPv4 && t.pools[IPv6].size > 0 {
		return MakeIndex(IPv6, 1)
	}
	return 0
}
