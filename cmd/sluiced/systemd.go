package main

import (
	"fmt"
	"log/slog"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// notify tells the service manager, if there is one, of a state (sd_notify(3)).
func notify(log *slog.Logger, state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		log.Warn("tell the service manager", "error", err)
	}
}

// reloading is the state at the begin of a reload; Type=notify-reload wants to
// know when that was.
func reloading() string {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // fails for an unknown clock only
	return fmt.Sprintf("%s\nMONOTONIC_USEC=%d", sd.SdNotifyReloading, now.Nano()/1000)
}

// watchdog gives the service manager life signs, as long as every worker goes
// round: one that stalls is as bad as one that has ended, and the cure is the
// same (WatchdogSec= with Restart=).
type watchdog struct {
	log    *slog.Logger
	polls  []func() uint64
	last   []uint64
	ticker *time.Ticker // nil: nobody wants to know
	quiet  bool         // a worker stalls, and that was said
}

// newWatchdog follows WATCHDOG_USEC: a sign is due three times in that time.
func newWatchdog(log *slog.Logger, polls []func() uint64) *watchdog {
	w := &watchdog{log: log, polls: polls, last: make([]uint64, len(polls))}
	interval, err := sd.SdWatchdogEnabled(false)
	if err != nil {
		log.Warn("service manager's watchdog", "error", err)
	}
	if interval > 0 {
		w.ticker = time.NewTicker(max(interval/3, time.Millisecond))
	}
	return w
}

// due has an element when it is time to look.
func (w *watchdog) due() <-chan time.Time {
	if w.ticker == nil {
		return nil
	}
	return w.ticker.C
}

func (w *watchdog) stop() {
	if w.ticker != nil {
		w.ticker.Stop()
	}
}

// look sends a sign if all workers have gone on since it looked last.
func (w *watchdog) look() {
	if stalled := w.stalled(); len(stalled) > 0 {
		if !w.quiet {
			w.log.Error("workers stall: no more life signs to the service manager until they go on", "workers", stalled)
		}
		w.quiet = true
		return
	}
	w.quiet = false
	notify(w.log, sd.SdNotifyWatchdog)
}

// stalled are the workers that have not gone round since the last time.
func (w *watchdog) stalled() (workers []int) {
	for i, polls := range w.polls {
		now := polls()
		if now == w.last[i] {
			workers = append(workers, i)
		}
		w.last[i] = now
	}
	return workers
}
