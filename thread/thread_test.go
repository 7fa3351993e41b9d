package thread

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// TestPinned: where workers need it, this release of Go is known.
func TestPinned(t *testing.T) {
	if runtime.GOARCH == "amd64" && !pinned {
		t.Fatalf("%s: unknown to package thread: look whether hold_go126_amd64.* is still right for it", runtime.Version())
	}
}

// TestBreathe: while a goroutine holds its thread and breathes now and then, the world
// can be stopped, its stack scanned and moved; nothing ends the process.
func TestBreathe(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0))))
	var stop atomic.Bool
	turns, ended := 0, make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		Hold()
		for !stop.Load() {
			turns += grow(100)
			Breathe()
		}
		Release()
	}()
	for range 20 {
		runtime.GC()
	}
	stop.Store(true)
	<-ended
	if turns == 0 {
		t.Fatal("it never had its turn")
	}
}

// grow takes some stack, with stack checks at each step, and returns 1.
func grow(depth int) int {
	if depth == 0 {
		return 1
	}
	var room [64]byte
	room[depth%len(room)] = byte(depth)
	return grow(depth-1) + int(room[(depth+1)%len(room)])
}

// TestHoldNests: after as many releases the goroutine may block again.
func TestHoldNests(t *testing.T) {
	done := make(chan struct{})
	Hold()
	Hold()
	Release()
	go close(done)
	Release()
	<-done
}
