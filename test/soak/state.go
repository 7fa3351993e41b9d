package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
)

// state is what the daemon holds when nothing goes on: numbers and texts by name.
type state struct {
	numbers map[string]float64
	texts   map[string]string
}

// settleTime is how long flows may take to time out, and what they held to be
// given back.
const settleTime = 2 * time.Minute

// settle restores the configuration, waits until the last flow has timed out and
// nothing moves, and notes what the daemon holds.
func (s *soak) settle(ctx context.Context) (*state, error) {
	say("settling: waiting for the last flows to time out")
	list, err := s.restore()
	if err != nil {
		return nil, err
	}
	st := newState()
	st.texts["services"] = describe(list.Services)
	s.await(ctx, s.empty) // in vain: the table says so
	if err := s.collectGarbage(ctx); err != nil {
		return nil, err
	}
	s.api.Close()
	s.await(ctx, s.still)
	for _, note := range []func(*state) error{s.noteCounters, s.noteFlows, s.noteKernel, s.noteLeast} {
		if err := note(st); err != nil {
			return nil, err
		}
	}
	return st, ctx.Err()
}

// noteLeast notes what workers, process and runtime hold, several times, and keeps the
// smallest numbers: a packet under way, a goroutine that looks after something
// every few seconds, a connection of ours that is being closed are no leak; what
// leaked is always there.
func (s *soak) noteLeast(st *state) error {
	for range 10 {
		now := newState()
		if err := errors.Join(s.noteStatus(now), s.noteProcess(now), s.noteMetrics(now)); err != nil {
			return err
		}
		for name, n := range now.numbers {
			if least, ok := st.numbers[name]; !ok || n < least {
				st.numbers[name] = n
				if name == "file descriptors" {
					st.texts[name] = now.texts[name]
				}
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil
}

func newState() *state { return &state{numbers: map[string]float64{}, texts: map[string]string{}} }

// await waits until ok has held three times in a row.
func (s *soak) await(ctx context.Context, ok func() bool) {
	end := time.Now().Add(settleTime)
	for held := 0; held < 3 && time.Now().Before(end) && ctx.Err() == nil; time.Sleep(300 * time.Millisecond) {
		if held++; !ok() {
			held = 0
		}
	}
}

// empty: no flow, and nothing remembered for one.
func (s *soak) empty() bool {
	st := newState()
	return s.noteStatus(st) == nil && s.noteCounters(st) == nil &&
		st.numbers["flows"] == 0 && st.numbers["removed backends"] == 0
}

// still: no packet has moved since it was last asked, and workers have published
// what adds up. Servers repeat answers to the connections of a flood for a minute.
func (s *soak) still() bool {
	workers, err := s.api.Workers(ctx)
	last := s.last
	s.last = workers
	return err == nil && slices.EqualFunc(last, workers, func(before, now api.Worker) bool {
		return uncounted(now) == 0 && now.Polls > before.Polls && now.Received == before.Received && now.Generated == before.Generated
	})
}

func uncounted(w api.Worker) float64 {
	return float64(w.Received+w.Generated) - float64(w.Transmitted+w.ToKernel+w.HandedOver+w.Dropped)
}

func (s *soak) noteStatus(st *state) error {
	status, err := s.api.Status(ctx)
	if err != nil {
		return err
	}
	st.numbers["packet buffers in use"] = float64(status.MbufsInUse)
	st.numbers["flows"] = float64(status.Flows)
	st.numbers["IPv6 flows"] = float64(status.Flows6)
	st.numbers["services"] = float64(status.Services)
	st.numbers["backends"] = float64(status.Backends)
	workers, err := s.api.Workers(ctx)
	for _, w := range workers {
		st.numbers[fmt.Sprintf("packets uncounted, worker %d", w.ID)] = uncounted(w)
	}
	return err
}

func (s *soak) noteCounters(st *state) error {
	list, err := s.api.Counters(ctx, nil)
	var loads, removed float64
	for _, service := range list {
		for _, b := range service.Backends {
			loads += float64(b.Active + b.Inactive)
			if b.Removed {
				removed++
			}
		}
	}
	st.numbers["flows on backends"], st.numbers["removed backends"] = loads, removed
	return err
}

// flowsShown is how many flows that should have ended are printed.
const flowsShown = 5

// noteFlows: a local port is in use exactly while a flow has it.
func (s *soak) noteFlows(st *state) error {
	var listed, locals float64
	err := s.api.Flows(ctx, api.FlowFilter{}, func(f api.Flow) error {
		if listed++; listed <= flowsShown {
			say("still there: %+v", f)
		}
		if f.Local != "" {
			locals++
		}
		return nil
	})
	st.numbers["flows listed"], st.numbers["local ports in use"] = listed, locals
	return err
}

// noteKernel: what the gateway's kernel has on the daemon's behalf.
func (s *soak) noteKernel(st *state) error {
	fingerprint, err := s.lab.script("fingerprint", s.lab.id)
	if err != nil {
		return err
	}
	neighbors, err := s.lab.ip("gw", "neigh", "show")
	if err != nil {
		return err
	}
	var kept []string
	for line := range strings.Lines(neighbors) {
		if fields := strings.Fields(line); slices.Contains(fields, "managed") {
			kept = append(kept, fields[0]+" "+fields[2])
		}
	}
	tc, err := output(exec.Command("ip", "netns", "exec", s.lab.ns("gw"), "tc", "qdisc", "show"))
	st.texts["kernel state"] = fingerprint
	st.texts["managed neighbors"] = sortLines(strings.Join(kept, "\n"))
	st.texts["queueing"] = tc
	return err
}

func sortLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// daemonErrors are what the daemon has logged as such.
func (s *soak) daemonErrors() error {
	text, err := os.ReadFile(filepath.Join(s.lab.dir, "sluiced.log"))
	if err != nil {
		return err
	}
	var wrong []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "level=ERROR") {
			wrong = append(wrong, strings.TrimSpace(line))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return fmt.Errorf("%d errors in sluiced.log, the first: %s", len(wrong), wrong[0])
}
