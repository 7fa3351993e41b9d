// Package namespace runs code in network namespaces, for tests of every kind.
//
// Runs on: a thread of its own for each call. Needs root.
package namespace

import (
	"runtime"

	"github.com/vishvananda/netns"
)

// Do calls f on a thread that is in a named namespace: sockets that f opens are
// of that namespace for good.
func Do(name string, f func() error) error {
	done := make(chan error)
	go func() {
		// Never unlocked: the thread, which has moved, ends with the goroutine.
		runtime.LockOSThread()
		handle, err := netns.GetFromName(name)
		if err == nil {
			err = netns.Set(handle)
			handle.Close()
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}
