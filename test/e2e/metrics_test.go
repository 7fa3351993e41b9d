package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Prometheus and the control socket tell the same numbers, at both places where
// metrics are served.
func TestMetricsAgreeWithTheControlSocket(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	key := d.add("fullnat", "tcp", "rs1", "rs2")
	l.getMany(10, key, "metrics")
	_ = l.connect(closedPort(key))
	for place, curl := range map[string][]string{
		"address": {"curl", "-sSf", "http://127.0.0.1:9105/metrics"},
		"socket":  {"curl", "-sSf", "--unix-socket", d.Socket, "http://sluice/metrics"},
	} {
		t.Run(place, func(t *testing.T) { d.numbers(curl).check(t, d.mbufs) })
	}
	d.stop()
}

// numbers are what a scrape and the control socket say at one moment.
type numbers struct {
	text     string // of the scrape
	verdicts []api.Verdict
	workers  []api.Worker
	services []api.ServiceCounters
}

// numbers asks both; again, when a packet has moved meanwhile.
func (d *daemon) numbers(curl []string) (n numbers) {
	d.t.Helper()
	for {
		var err error
		before := d.quiet()
		n.text = d.lab.run("gw", curl...)
		n.verdicts, err = d.Verdicts(ctx)
		require.NoError(d.t, err)
		n.services, err = d.Counters(ctx, nil)
		require.NoError(d.t, err)
		n.workers, err = d.Workers(ctx)
		require.NoError(d.t, err)
		if slices.EqualFunc(before, n.workers, sameCounts) {
			return n
		}
	}
}

func (n numbers) check(t *testing.T, mbufs int) {
	problems, err := promlint.New(strings.NewReader(n.text)).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		assert.False(t, strings.HasPrefix(p.Metric, "sluice_"), "%s: %s", p.Metric, p.Text)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(n.text))
	require.NoError(t, err)

	packets := series(families["sluice_packets_total"])
	assert.Len(t, packets, len(n.verdicts), "with one worker, one series a verdict")
	for _, v := range n.verdicts {
		assert.Equal(t, float64(v.Packets), packets["outcome="+v.Outcome+" verdict="+v.Name+" worker=0"], v.Name)
	}
	workers := n.workers
	assert.Equal(t, float64(workers[0].Received), series(families["sluice_worker_received_packets_total"])["worker=0"])
	assert.Equal(t, float64(workers[0].Generated), series(families["sluice_worker_generated_packets_total"])["worker=0"])
	assert.Equal(t, float64(mbufs), series(families["sluice_mbufs_in_use"])[""])
	checkSaturation(t, families, workers[0])

	services := n.services
	require.Len(t, services, 1)
	service := "service=tcp:10.0.0.100:80"
	for _, b := range services[0].Backends {
		labels := "backend=" + b.Address + ":80 direction=out " + service
		assert.Equal(t, float64(b.OutBytes), series(families["sluice_backend_bytes_total"])[labels])
		assert.NotZero(t, b.OutBytes)
		assert.EqualValues(t, 5, series(families["sluice_backend_flows_total"])["backend="+b.Address+":80 "+service])
	}
	for _, name := range []string{"go_goroutines", "process_open_fds"} {
		assert.Contains(t, families, name)
	}
}

// checkSaturation compares what stands still while nothing moves, and insists that
// what never stands still is there and makes sense.
func checkSaturation(t *testing.T, families map[string]*dto.MetricFamily, w api.Worker) {
	require.NotEmpty(t, w.Ports)
	for _, a := range w.Ports {
		labels := "port=" + a.Port + " worker=0"
		assert.NotZero(t, a.Packets)
		assert.Equal(t, float64(a.Packets), series(families["sluice_worker_port_packets_total"])[labels])
		assert.Equal(t, float64(a.Bursts), series(families["sluice_worker_port_bursts_total"])[labels])
		assert.Equal(t, float64(a.FullBursts), series(families["sluice_worker_port_full_bursts_total"])[labels])
		assert.LessOrEqual(t, a.Bursts, a.Packets)
		assert.LessOrEqual(t, a.Bursts, w.BusyPolls*uint64(len(w.Ports)))
	}
	for _, r := range w.Rings {
		labels := "kind=" + r.Kind + " peer=" + r.Peer + " worker=0"
		assert.Equal(t, float64(r.Highest), series(families["sluice_ring_highest_packets"])[labels], labels)
		assert.Equal(t, float64(r.Size), series(families["sluice_ring_size_packets"])[labels], labels)
	}
	busy := series(families["sluice_worker_busy_seconds_total"])["worker=0"]
	assert.Positive(t, busy)
	assert.Equal(t, w.BusySeconds, busy)
	assert.Contains(t, families, "sluice_worker_saturated")

	gaps := families["sluice_worker_poll_gap_seconds"].GetMetric()[0].GetHistogram()
	assert.Positive(t, gaps.GetSampleCount())
	assert.LessOrEqual(t, gaps.GetSampleCount(), w.Gaps.Count, "scraped before")
	assert.Less(t, w.Gaps.Count, w.Polls, "the worker sleeps in this test: some polls end no gap")
	assert.Len(t, gaps.GetBucket(), len(w.Gaps.Buckets)+1, "and the one without bound")
	assert.GreaterOrEqual(t, gaps.GetSampleSum(), busy, "busy time is part of the gaps")
}

// series is the values of a family by their labels, in alphabetical order.
func series(f *dto.MetricFamily) map[string]float64 {
	out := map[string]float64{}
	for _, m := range f.GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		out[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return out
}

// /metrics is the one page of the address that Prometheus may see: nothing can
// be changed through it.
func TestMetricsAddressServesNothingElse(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, path := range []string{"/", "/v1/services", "/v1/status", "/openapi.json"} {
		code := l.run("gw", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:9105"+path)
		assert.Equal(t, "404", code, path)
	}
	code := l.run("gw", "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", http.MethodPost, "http://127.0.0.1:9105/metrics")
	assert.Equal(t, "405", code)
	d.stop()
}
