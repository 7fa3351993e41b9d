package flow

// freeCost is how many free entries a scan passes for the price of visiting one
// flow: a glance at a byte, against a copy.
const freeCost = 16

// Scan visits the flows from index from (0 to begin) on, the IPv4 ones first, no
// more than budget of them or the equivalent in free entries, and returns where
// to go on; 0 when that was all. Flows may come and go between calls; one that lives throughout
// is visited once. visit must not insert or remove.
func (t *Table) Scan(from Index, budget int, visit func(Index)) (next Index) {
	i := max(from, 1)
	for left := budget * freeCost; left > 0 && i != 0; i = t.after(i) {
		left--
		if t.common(i).Flags&flagUsed != 0 {
			visit(i)
			left -= freeCost - 1
		}
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
