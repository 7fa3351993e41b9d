package flow

import "fmt"

// verify checks that index, pools and wheel agree.
func (t *Table) verify(tuples int) error {
	if n, err := t.index.verify(); err != nil || n != tuples {
		return fmt.Errorf("%d refs, want %d: %w", n, tuples, err)
	}
	armed, err := t.verifyWheel()
	if err != nil {
		return err
	}
	for f, p := range t.pools {
		free := 0
		for i := p.first; i != 0; i = p.next(i) {
			if Index(i).Family() != Family(f) {
				return fmt.Errorf("entry %#x is among the free ones of family %d", i, f)
			}
			free++
		}
		if free != p.free || armed[f] != p.used() || free+armed[f] != p.size {
			return fmt.Errorf("family %d: %d entries in the wheel, %d free (%d counted) of %d", f, armed[f], free, p.free, p.size)
		}
	}
	if n := armed[IPv4] + armed[IPv6]; n != t.Len() || armed[IPv6] != t.Len6() {
		return fmt.Errorf("%d entries in the wheel, %d of IPv6: want %d and %d", n, armed[IPv6], t.Len(), t.Len6())
	}
	return nil
}

// verifyWheel checks the wheel's lists and counts their entries by family.
func (t *Table) verifyWheel() (armed [numFamilies]int, err error) {
	for slot, i := range t.wheel.heads {
		for prev := uint32(slot) | slotMark; i != 0; prev, i = i, t.wheel.next(i) {
			if t.cold(Index(i)).wheelPrev != prev {
				return armed, fmt.Errorf("entry %#x: linked to %#x, want %#x", i, t.cold(Index(i)).wheelPrev, prev)
			}
			deadline := t.deadline(t.common(Index(i)))
			look := t.wheel.tick + (uint32(slot)-t.wheel.tick)%wheelSlots
			if late := int32(look - deadline); late > 0 && int32(look-t.clock.now) > 1 {
				return armed, fmt.Errorf("entry %#x: due in tick %d, looked at in %d, now %d", i, deadline, look, t.clock.now)
			}
			armed[Index(i).Family()]++
		}
	}
	return armed, nil
}
