package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
)

// tally counts what was tried and how it ended.
type tally struct {
	mu     sync.Mutex
	harms  *harms
	kinds  map[string]*count
	failed []string // the first of them

	// tell finds out about a connection that was reset; nil: nobody can.
	tell func(*site, time.Time, error) story
}

// count is one kind of thing.
type count struct {
	tried, failed, explained, bytes uint64
	why                             map[string]uint64 // explanations
}

// shown is how many failures are told one by one.
const shown = 20

func newTally(h *harms) *tally { return &tally{harms: h, kinds: map[string]*count{}} }

func (t *tally) kind(name string) *count {
	c := t.kinds[name]
	if c == nil {
		c = &count{why: map[string]uint64{}}
		t.kinds[name] = c
	}
	return c
}

// add counts n things of a kind that cannot fail.
func (t *tally) add(kind string, n uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kind(kind).tried += n
}

// done counts a thing that is nobody's traffic.
func (t *tally) done(kind string, err error) { t.record(kind, nil, time.Time{}, 0, err) }

// record counts a connection or exchange of a site, that took from began to now
// and carried bytes of data. A failure is explained when something harmful was
// under way at its site meanwhile, and counts against the daemon otherwise; so does
// a reset by others than the gateway.
func (t *tally) record(kind string, s *site, began time.Time, bytes uint64, err error) {
	ended, reset, by := time.Now(), (*story)(nil), ""
	if s != nil && t.tell != nil && isReset(err) {
		told := t.tell(s, began, err)
		reset, by = &told, " (reset by "+told.resetter()+")"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.kind(kind)
	c.tried++
	c.bytes += bytes
	if err == nil {
		return
	}
	name := ""
	if s != nil {
		name = s.name + ": "
		if why := t.harms.explain(s.key, began, ended); why != "" && (reset == nil || reset.intended()) {
			c.explained++
			c.why[why+by]++
			return
		}
	}
	c.failed++
	if len(t.failed) < shown {
		t.failed = append(t.failed, fmt.Sprintf("%s %s: %s%v%s", ended.Format("15:04:05.000"), kind, name, err, by))
		fmt.Println("FAILED", t.failed[len(t.failed)-1])
		if reset != nil {
			fmt.Print(reset)
		}
	}
}

// line is the tally in one line.
func (t *tally) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var tcp, udp, changes, hostile, failed, explained, bytes uint64
	for name, c := range t.kinds {
		failed, explained, bytes = failed+c.failed, explained+c.explained, bytes+c.bytes
		switch kind, _, _ := strings.Cut(name, " "); kind {
		case "tcp":
			tcp += c.tried
		case "udp":
			udp += c.tried
		case "hostile":
			hostile += c.tried
		default:
			changes += c.tried
		}
	}
	return fmt.Sprintf("%d connections, %d UDP exchanges, %d MB, %d changes, %d hostile frames; %d failures, %d explained",
		tcp, udp, bytes>>20, changes, hostile, failed, explained)
}

// report is a table of all kinds.
func (t *tally) report() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out strings.Builder
	fmt.Fprintf(&out, "%-34s %9s %7s %9s %7s\n", "kind", "tried", "failed", "explained", "MB")
	for _, name := range slices.Sorted(maps.Keys(t.kinds)) {
		c := t.kinds[name]
		fmt.Fprintf(&out, "%-34s %9d %7d %9d %7d\n", name, c.tried, c.failed, c.explained, c.bytes>>20)
		for _, why := range slices.Sorted(maps.Keys(c.why)) {
			fmt.Fprintf(&out, "%34s %9s %7s %9d while %s\n", "", "", "", c.why[why], why)
		}
	}
	return out.String()
}

// verdict is an error when something failed that nothing explains, or when the
// traffic was none worth the name.
func (t *tally) verdict() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	var failed uint64
	for name, c := range t.kinds {
		failed += c.failed
		if c.tried == c.failed+c.explained {
			errs = append(errs, fmt.Errorf("%s: none of %d succeeded", name, c.tried))
		}
	}
	if failed > 0 {
		errs = append(errs, fmt.Errorf("%d failures that no change explains; the first:\n%s", failed, strings.Join(t.failed, "\n")))
	}
	return errors.Join(errs...)
}

// harms are the times at which connections of a site could fail through no
// fault of the daemon's.
type harms struct {
	mu   sync.Mutex
	list []harm
}

type harm struct {
	key      api.Key
	what     string
	from, to time.Time // to is zero while it goes on
}

// begin notes that something harmful begins; the result ends it.
func (h *harms) begin(key api.Key, what string) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, harm{key: key, what: what, from: time.Now()})
	i := len(h.list) - 1
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list[i].to = time.Now()
	}
}

// explain is what was harmful to a site between two moments, "" if nothing was.
func (h *harms) explain(key api.Key, from, to time.Time) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range slices.Backward(h.list) {
		if x.key == key && !x.from.After(to) && (x.to.IsZero() || !x.to.Before(from)) {
			return x.what
		}
	}
	return ""
}
