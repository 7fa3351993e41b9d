package dpdk

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// failure is an error in the form that every message here has: what failed,
// the value, why, what to do.
func failure(what string, value any, why error, todo string) error {
	return fmt.Errorf("%s: %v: %w: %s", what, value, why, todo)
}

// because is a why in words.
func because(format string, args ...any) error { return fmt.Errorf(format, args...) }

// result is the error of a C function's return value: nil for 0 and above.
// DPDK's drivers often return a bare -1, which is no EPERM.
func result[T ~int32](rc T) error {
	switch {
	case rc >= 0:
		return nil
	case rc == -1:
		return errors.New("refused")
	}
	return syscall.Errno(-rc)
}

// explain adds what DPDK logged meanwhile to a why.
func explain(why error, log []string) error {
	if why == nil || len(log) == 0 {
		return why
	}
	return fmt.Errorf("%w (%s)", why, strings.Join(log, "; "))
}
