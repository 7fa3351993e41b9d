package build

// ids gives out ids by key. A key that is removed keeps its id, so that it is
// the same object when it returns, until release makes the id free for another.
// Ids run from 1 to limit.
type ids[K comparable, I ~uint32] struct {
	limit   int
	byKey   map[K]I
	removed map[I]uint64 // revision that removed it
	free    []I          // released, to be given out again in that order
	last    I            // greatest id ever given out
}

func newIDs[K comparable, I ~uint32](limit int) ids[K, I] {
	return ids[K, I]{limit: limit, byKey: map[K]I{}, removed: map[I]uint64{}}
}

// get is the id of a key, removed or not; 0 when it has none.
func (p *ids[K, I]) get(key K) I { return p.byKey[key] }

// room is how many more keys can get ids.
func (p *ids[K, I]) room() int { return p.limit - len(p.byKey) }

// present is how many keys are not removed.
func (p *ids[K, I]) present() int { return len(p.byKey) - len(p.removed) }

// take returns the key's id, a new one if it has none (the caller has made sure
// that there is room), and marks it as not removed.
func (p *ids[K, I]) take(key K) (id I, fresh bool) {
	if id = p.byKey[key]; id != 0 {
		delete(p.removed, id)
		return id, false
	}
	if len(p.free) > 0 {
		id, p.free = p.free[0], p.free[1:]
	} else {
		p.last++
		id = p.last
	}
	p.byKey[key] = id
	return id, true
}

// remove marks an id as removed.
func (p *ids[K, I]) remove(id I, revision uint64) { p.removed[id] = revision }

// release frees a removed id.
func (p *ids[K, I]) release(key K, id I) {
	delete(p.byKey, key)
	delete(p.removed, id)
	p.free = append(p.free, id)
}
