package thread

import (
	"syscall"
	_ "unsafe" // for go:linkname
)

// Hold keeps the goroutine on its processor until Release. Both nest.
func Hold() { procPin() }

// Release ends Hold.
func Release() { procUnpin() }

// Breathe releases for the time of a system call, of which Go's runtime is told:
// whoever wants to stop the world does it here. The goroutine is not asked to yield
// on the way, because no stack check comes between: they are where Go asks.
func Breathe() {
	procUnpin()
	_, _, _ = syscall.Syscall(syscall.SYS_GETPID, 0, 0, 0) // the shortest; it cannot fail
	procPin()
}

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()
