package worker

import "time"

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
// time.
const (
	idlePolls = 64
	sleepMin  = 20 * time.Microsecond
	sleepMax  = time.Millisecond
)

type idler struct {
	mode  Idle
	empty int
	pause time.Duration
}

// after is told how many frames a poll moved; it says how long to sleep.
func (i *idler) after(moved int) time.Duration {
	if moved > 0 {
		i.empty, i.pause = 0, sleepMin
		return 0
	}
	i.empty++
	if i.mode == Spin || i.empty < idlePolls {
		return 0
	}
	pause := max(i.pause, sleepMin)
	i.pause = min(2*pause, sleepMax)
	return pause
}
