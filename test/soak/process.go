package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// noteProcess: what the kernel says of the daemon's process.
func (s *soak) noteProcess(st *state) error {
	proc := fmt.Sprintf("/proc/%d", s.pid)
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		return fmt.Errorf("the daemon: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		switch fields[0] {
		case "Threads:":
			st.numbers["threads"], _ = strconv.ParseFloat(fields[1], 64)
		case "VmRSS:":
			kb, _ := strconv.ParseFloat(fields[1], 64)
			st.numbers["resident memory, kB"] = kb
		}
	}
	files, err := os.ReadDir(proc + "/fd")
	kinds := map[string]int{}
	for _, f := range files {
		if to, err := os.Readlink(filepath.Join(proc, "fd", f.Name())); err == nil {
			kind, _, _ := strings.Cut(to, ":[") // socket:[123] is any socket
			kinds[kind]++
		}
	}
	for kind, n := range kinds {
		st.texts["file descriptors"] += fmt.Sprintf("%s %d\n", kind, n)
	}
	st.texts["file descriptors"] = sortLines(st.texts["file descriptors"])
	st.numbers["file descriptors"] = float64(len(files))
	return err
}

func (s *soak) noteMetrics(st *state) error {
	all, err := s.scrape()
	if err != nil {
		return err
	}
	for name, metric := range map[string]string{"goroutines": "go_goroutines", "live heap, bytes": liveHeap} {
		value, ok := all[metric]
		if !ok {
			return fmt.Errorf("metric %s: the daemon has none", metric)
		}
		st.numbers[name] = value
	}
	return nil
}

// Metrics of the Go runtime: bytes that the last collection found in use, and how
// many there were.
const (
	liveHeap    = "go_gc_heap_live_bytes"
	collections = "go_gc_cycles_total_gc_cycles_total"
)

// collectGarbage makes garbage by scraping until the collector has run three
// times: what is pooled survives two.
func (s *soak) collectGarbage(ctx context.Context) error {
	var first float64
	for i := 0; ctx.Err() == nil; i++ {
		all, err := s.scrape()
		if err != nil {
			return err
		}
		if i == 0 {
			first = all[collections]
		}
		if all[collections] >= first+3 {
			return nil
		}
		if i == 5000 {
			return fmt.Errorf("metric %s: still %v after %d scrapes", collections, all[collections], i)
		}
	}
	return ctx.Err()
}

// parseMetrics adds up each metric over its labels.
func parseMetrics(r io.Reader) (map[string]float64, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(r)
	out := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			out[name] += value(m)
		}
	}
	return out, err
}

func value(m *dto.Metric) float64 {
	return m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
}

func (s *soak) dialControl(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", s.api.Path())
}
