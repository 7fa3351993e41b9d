package metrics

import (
	"context"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/packet"
)

// fixed is a source of numbers that differ, so that none can pass for another.
type fixed struct{}

func (fixed) Status() api.Status {
	return api.Status{Version: "v", DPDK: "d", Revision: 7, FlowsMax: 110, Flows6Max: 10, Mbufs: 20, MbufsInUse: 3, MbufsHigh: 4,
		Kernel: api.KernelPath{TunnelErrors: map[string]uint64{"passed": 21, "limit": 22}, NoTwin: 23, ResolveDropped: 24}}
}

func (fixed) Ports() []api.Port {
	return []api.Port{{Name: "lan", Link: "up", RxPackets: 31, TxPackets: 32, RxMissed: 33, ToKernel: 34, FromKernel: 35,
		Twins: []api.Twin{{Name: "sl-lan", Lost: map[string]uint64{"ring-full": 36}}, {Name: "sl-lan.100", VLAN: 100, Lost: map[string]uint64{"ring-full": 37}}}}}
}

func (fixed) Workers() []api.Worker {
	return []api.Worker{{ID: 1, Received: 41, Generated: 42, Flows: 47, Flows6: 4, FlowsNew: 44, FlowsExpired: 45, FlowsEvicted: 46,
		BusySeconds: 48.5, SaturatedSince: new(time.Time),
		Gaps:  api.Gaps{Count: 9, Sum: 0.25, Longest: 0.125, Buckets: []api.GapBucket{{Within: 2.56e-07, Count: 3}, {Within: 1.024e-06, Count: 8}}},
		Ports: []api.Arrivals{{Port: "lan", Packets: 71, Bursts: 72, FullBursts: 73, HandedOver: 74}},
		Rings: []api.Ring{{Worker: 1, Kind: api.RingFromWorker, Peer: "0", Waiting: 75, Highest: 76, Size: 128}},
	}}
}

func (fixed) Verdicts() []api.Verdict {
	return []api.Verdict{{Name: "forwarded", Outcome: "transmitted", Workers: []uint64{51, 52}}}
}

func (fixed) Counters() []api.ServiceCounters {
	return []api.ServiceCounters{{Protocol: "tcp", Address: "2001:db8::1", Port: 80,
		Backends: []api.BackendCounters{{Address: "2001:db8::11", Port: 81, Weight: 61, Traffic: api.Traffic{Flows: 62, OutBytes: 63}}}}}
}

func (fixed) LocalPorts(context.Context) (api.LocalPorts, error) {
	return api.LocalPorts{
		Services:  []api.ServicePorts{{Protocol: "tcp", Address: "2001:db8::1", Port: 80, Ratio: 0.75}},
		Addresses: []api.LocalAddress{{Address: "10.0.0.2", Flows: 71}},
	}, nil
}

func TestSeries(t *testing.T) {
	answer := httptest.NewRecorder()
	Handler(fixed{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	text := answer.Body.String()
	for _, line := range []string{
		`sluice_build_info{dpdk="d",version="v"} 1`,
		`sluice_config_revision 7`,
		`sluice_flows_max{family="ipv4"} 100`, `sluice_flows_max{family="ipv6"} 10`,
		`sluice_mbufs 20`, `sluice_mbufs_in_use 3`, `sluice_mbufs_highest_in_use 4`,
		`sluice_tunnel_errors_total{outcome="passed"} 21`, `sluice_tunnel_errors_total{outcome="limit"} 22`,
		`sluice_kernel_no_twin_packets_total 23`, `sluice_kernel_resolve_dropped_total 24`,
		`sluice_port_up{port="lan"} 1`,
		`sluice_port_lost_packets_total{port="lan",reason="rx-missed"} 33`,
		`sluice_port_to_kernel_packets_total{port="lan"} 34`, `sluice_port_from_kernel_packets_total{port="lan"} 35`,
		`sluice_twin_lost_packets_total{port="lan",reason="ring-full",twin="sl-lan"} 36`,
		`sluice_twin_lost_packets_total{port="lan",reason="ring-full",twin="sl-lan.100"} 37`,
		`sluice_worker_flows{family="ipv4",worker="1"} 43`, `sluice_worker_flows{family="ipv6",worker="1"} 4`,
		`sluice_worker_flows_created_total{worker="1"} 44`, `sluice_worker_flows_expired_total{worker="1"} 45`,
		`sluice_worker_flows_evicted_total{worker="1"} 46`,
		`sluice_worker_busy_seconds_total{worker="1"} 48.5`, `sluice_worker_saturated{worker="1"} 1`,
		`sluice_worker_poll_gap_seconds_bucket{worker="1",le="2.56e-07"} 3`,
		`sluice_worker_poll_gap_seconds_bucket{worker="1",le="1.024e-06"} 8`,
		`sluice_worker_poll_gap_seconds_bucket{worker="1",le="+Inf"} 9`,
		`sluice_worker_poll_gap_seconds_sum{worker="1"} 0.25`, `sluice_worker_poll_gap_seconds_count{worker="1"} 9`,
		`sluice_worker_longest_poll_gap_seconds{worker="1"} 0.125`,
		`sluice_worker_port_packets_total{port="lan",worker="1"} 71`, `sluice_worker_port_bursts_total{port="lan",worker="1"} 72`,
		`sluice_worker_port_full_bursts_total{port="lan",worker="1"} 73`,
		`sluice_worker_port_handed_over_packets_total{port="lan",worker="1"} 74`,
		`sluice_ring_packets{kind="from-worker",peer="0",worker="1"} 75`,
		`sluice_ring_highest_packets{kind="from-worker",peer="0",worker="1"} 76`,
		`sluice_ring_size_packets{kind="from-worker",peer="0",worker="1"} 128`,
		`sluice_packets_total{outcome="transmitted",verdict="forwarded",worker="0"} 51`,
		`sluice_packets_total{outcome="transmitted",verdict="forwarded",worker="1"} 52`,
		`sluice_backend_weight{backend="[2001:db8::11]:81",service="tcp:[2001:db8::1]:80"} 61`,
		`sluice_backend_flows_total{backend="[2001:db8::11]:81",service="tcp:[2001:db8::1]:80"} 62`,
		`sluice_backend_bytes_total{backend="[2001:db8::11]:81",direction="out",service="tcp:[2001:db8::1]:80"} 63`,
		`sluice_local_ports_used{address="10.0.0.2"} 71`,
		`sluice_service_local_ports_ratio{service="tcp:[2001:db8::1]:80"} 0.75`,
	} {
		assert.Contains(t, text, line+"\n")
	}
	for _, name := range []string{"go_goroutines", "go_gc_heap_live_bytes", "go_gc_cycles_total_gc_cycles_total", "process_open_fds"} {
		assert.Contains(t, text, "\n"+name+" ")
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		assert.False(t, strings.HasPrefix(p.Metric, "sluice_"), "%s: %s", p.Metric, p.Text)
	}
}

// TestAlerts: the rules that we deliver are YAML, ask for series that exist, with
// labels and verdicts that exist, say what to do, and are documented.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../deploy/alerts.yml")
	require.NoError(t, err)
	docs, err := os.ReadFile("../../docs/operations.md")
	require.NoError(t, err)
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	require.NoError(t, yaml.UnmarshalStrict(text, &file))
	answer := httptest.NewRecorder()
	Handler(fixed{}).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	names := map[string]bool{}
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			assert.False(t, names[r.Alert], "two rules %s", r.Alert)
			names[r.Alert] = true
			r.check(t, answer.Body.String())
			assert.Contains(t, string(docs), "`"+r.Alert+"`", "docs/operations.md")
		}
	}
	assert.Len(t, names, 14)
}

// rule is an alert.
type rule struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

var (
	seriesIn   = regexp.MustCompile(`sluice_\w+`)
	verdictsIn = regexp.MustCompile(`verdict=~?"([^"]+)"`)
	labelsIn   = regexp.MustCompile(`\$labels\.(\w+)`)
)

// check compares a rule with what is scraped.
func (r rule) check(t *testing.T, scraped string) {
	assert.Contains(t, []string{"warning", "critical"}, r.Labels["severity"], r.Alert)
	assert.NotEmpty(t, r.Annotations["summary"], r.Alert)
	assert.NotEmpty(t, r.Annotations["description"], r.Alert)
	names := seriesIn.FindAllString(r.Expr, -1)
	assert.NotEmpty(t, names, r.Alert)
	labels := "instance"
	for _, name := range names {
		assert.Contains(t, scraped, "# TYPE "+strings.TrimSuffix(name, "_bucket")+" ", r.Alert)
		labels += regexp.MustCompile("\n" + name + "{[^}]*}").FindString(scraped)
	}
	for _, in := range labelsIn.FindAllStringSubmatch(r.Annotations["summary"]+r.Annotations["description"], -1) {
		assert.Regexp(t, `\b`+in[1]+`\b`, labels, r.Alert)
	}
	for _, in := range verdictsIn.FindAllStringSubmatch(r.Expr, -1) {
		for name := range strings.SplitSeq(in[1], "|") {
			assert.Contains(t, verdicts(), name, r.Alert)
		}
	}
}

func verdicts() (names []string) {
	for v := range packet.NumVerdicts {
		names = append(names, v.String())
	}
	return names
}
