//go:build go1.26 && !go1.27

package thread

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"time"
)

// TestStopping: a goroutine that holds its thread sees that somebody stops the world,
// and that a collection marks, and nothing of either when nobody does.
func TestStopping(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(3, runtime.GOMAXPROCS(0))))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC() // a collection that had begun
	if stops, marks := watch(func() { time.Sleep(20 * time.Millisecond) }); stops+marks > 0 {
		t.Errorf("nobody collects: saw the world stop %d times, a collection mark %d times: "+
			"is gcwaiting elsewhere in this release's schedt?", stops, marks)
	}
	stops, marks := watch(func() {
		for range 20 {
			runtime.GC()
		}
	})
	if stops == 0 || marks == 0 {
		t.Errorf("20 collections: saw the world stop %d times, a collection mark %d times: "+
			"is gcwaiting elsewhere in this release's schedt?", stops, marks)
	}
}

// watch has a goroutine hold its thread while fn runs, and counts what it sees.
func watch(fn func()) (stops, marks int) {
	var stop atomic.Bool
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		Hold()
		for turn := 0; !stop.Load(); turn++ {
			if stopping() {
				stops++
			}
			if marking() {
				marks++
			}
			if turn%1000 == 0 {
				Breathe()
			}
		}
		Release()
	}()
	fn()
	stop.Store(true)
	<-ended
	return stops, marks
}
