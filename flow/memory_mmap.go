//go:build linux && !race

package flow

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// allocate maps size bytes and touches every page of them, so that the first
// packets fault nothing in. The pages are of the NUMA node of the thread that
// calls, unless its memory policy says otherwise. Reserved 2 MB pages come
// first; without them the kernel is asked to use its own.
func allocate(size int) (region, error) {
	if size >= hugePage {
		if memory, err := mapResident(roundUp(size, hugePage), unix.MAP_HUGETLB|unix.MAP_HUGE_2MB); err == nil {
			return region{memory, memory, "hugetlb"}, nil
		}
	}
	mapping, err := mapPages(size)
	if err != nil {
		return region{}, fmt.Errorf("map flow table: %d bytes: %w: lower the number of flows or free memory", size, err)
	}
	memory := mapping
	if size >= hugePage {
		memory = aligned(mapping, roundUp(size, hugePage), hugePage)
		// Refused where transparent huge pages are off: slower, not wrong.
		_ = unix.Madvise(memory, unix.MADV_HUGEPAGE)
	}
	if err := makeResident(memory); err != nil {
		return region{}, errors.Join(
			fmt.Errorf("prefault flow table: %d bytes: %w: lower the number of flows or free memory", size, err),
			unix.Munmap(mapping))
	}
	return region{memory, mapping, "mmap"}, nil
}

// mapPages maps ordinary pages, with room to align large regions to a huge page.
func mapPages(size int) ([]byte, error) {
	if size >= hugePage {
		size = roundUp(size, hugePage) + hugePage
	}
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
}

func mapResident(size, flags int) ([]byte, error) {
	memory, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|flags)
	if err != nil {
		return nil, err
	}
	if err := makeResident(memory); err != nil {
		return nil, errors.Join(err, unix.Munmap(memory))
	}
	return memory, nil
}

// free unmaps the region; nothing may point into it any more.
func (r *region) free() error {
	mapping := r.mapping
	r.bytes, r.mapping = nil, nil
	if mapping == nil {
		return nil
	}
	return unix.Munmap(mapping)
}
