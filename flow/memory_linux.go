package flow

import (
	"errors"

	"golang.org/x/sys/unix"
)

// makeResident faults all pages in. The system call reports what touching
// them would turn into a signal; kernels before 5.14 do not have it.
func makeResident(memory []byte) error {
	err := unix.Madvise(memory, unix.MADV_POPULATE_WRITE)
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	for i := 0; i < len(memory); i += unix.Getpagesize() {
		memory[i] = 0
	}
	return nil
}
