package dpdk

import (
	"fmt"
	"runtime/debug"

	"github.com/yerden/go-dpdk/eal"
)

// PanicError is a worker function's panic. The process should end on it.
type PanicError struct {
	Worker int
	Value  any    // what was given to panic
	Stack  []byte // of the panicking goroutine
}

// Error tells value and stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("worker %d: panic: %v: a bug in Sluice: report it with this stack\n%s", e.Worker, e.Value, e.Stack)
}

// Unwrap is the error that was given to panic, if it was one.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Run starts fn on the thread of a worker's lcore, to which its goroutine is
// locked, and returns at once. The channel gets one value when fn has ended:
// nil, or a *PanicError. The caller must read it and end the process on an
// error: nothing else would show that a worker is gone. fn must not call
// runtime.Goexit (testing.T.FailNow does).
func (e *EAL) Run(worker int, fn func()) <-chan error {
	done := make(chan error, 1)
	if worker < 0 || worker >= len(e.busy) {
		done <- failure("run worker", worker, because("there are workers 0 to %d", len(e.busy)-1), "configure more worker cores")
		return done
	}
	if !e.busy[worker].CompareAndSwap(false, true) {
		done <- failure("run worker", worker, because("it runs already"), "wait for its end")
		return done
	}
	var err error
	ended := eal.ExecOnLcoreAsync(uint(lcoreOf(worker)), make(chan error, 1), func(*eal.LcoreCtx) {
		err = e.guard(worker, fn)
	})
	go func() {
		if lost := <-ended; lost != nil { // the lcore itself, not fn
			err = lost
		}
		e.busy[worker].Store(false)
		done <- err
	}()
	return done
}

// guard turns a panic of fn into an error, with the stack as it was.
func (e *EAL) guard(worker int, fn func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{worker, v, debug.Stack()}
		}
	}()
	fn()
	return nil
}
