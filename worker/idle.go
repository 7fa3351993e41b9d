package worker

import "golang.org/x/sys/unix"

// Idle is what a worker does when there is nothing to do.
type Idle uint8

// Idle modes.
const (
	Spin  Idle = iota // poll on: production
	Sleep             // back off: demo, tests, small machines
)

// ParseIdle reads an idle mode's name.
func ParseIdle(s string) (Idle, bool) {
	switch s {
	case "spin":
		return Spin, true
	case "sleep":
		return Sleep, true
	}
	return Spin, false
}

// Back-off of Sleep: after idlePolls empty polls the worker sleeps, longer each
// time, in microseconds.
const (
	idlePolls = 64
	sleepMin  = 20
	sleepMax  = 1000
)

type idler struct {
	mode  Idle
	empty int
	pause int64 // microseconds
}

// after is told how many frames a poll moved; it says whether it slept.
func (i *idler) after(moved int) (slept bool) {
	if moved > 0 {
		i.empty, i.pause = 0, sleepMin
		return false
	}
	i.empty++
	if i.mode == Spin || i.empty < idlePolls {
		return false
	}
	i.pause = max(i.pause, sleepMin)
	ts := unix.NsecToTimespec(i.pause * 1000)
	_ = unix.Nanosleep(&ts, nil) // woken early is as good
	i.pause = min(2*i.pause, sleepMax)
	return true
}
