// Package metrics renders the daemon's state for Prometheus. Names and labels
// are stable: dashboards depend on them. Verdict names are the label values.
//
// Runs on: the scraper's request. Touches: published counters only, which costs no
// worker anything; for local ports, which only workers know, it asks them, and they
// answer in small slices between bursts.
package metrics

import (
	"context"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Source is where the numbers come from; the control socket shows the same.
type Source interface {
	Status() api.Status
	Ports() []api.Port
	Workers() []api.Worker
	Verdicts() []api.Verdict
	Counters() []api.ServiceCounters
	LocalPorts(context.Context) (api.LocalPorts, error)
}

// heap is what the last collection found in use, and how many there were: the
// heap's size in between says nothing about a leak.
var heap = collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile("^/gc/(heap/live:bytes|cycles/total:gc-cycles)$")}

// Handler serves /metrics: the source's numbers, the Go runtime's and the process's.
func Handler(s Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s}, collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(heap)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

type collector struct{ source Source }

// Describe sends nothing: which labels there are depends on the configuration.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads everything once.
func (c collector) Collect(out chan<- prometheus.Metric) {
	c.status(out)
	for _, v := range c.source.Verdicts() {
		for worker, n := range v.Workers {
			verdictPackets.send(out, n, strconv.Itoa(worker), v.Name, v.Outcome)
		}
	}
	for _, w := range c.source.Workers() {
		sendWorker(out, w)
		sendSaturation(out, w)
	}
	for _, p := range c.source.Ports() {
		sendPort(out, p)
	}
	for _, s := range c.source.Counters() {
		sendService(out, s)
	}
	c.localPorts(out)
}

// askTimeout bounds what a scrape waits for workers.
const askTimeout = 5 * time.Second

func (c collector) localPorts(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	ports, err := c.source.LocalPorts(ctx)
	if err != nil {
		return // workers do not run yet, or any more: no series rather than no scrape
	}
	for _, a := range ports.Addresses {
		localPortsUsed.send(out, a.Flows, a.Address)
	}
	for _, s := range ports.Services {
		serviceLocalPorts.sendFloat(out, s.Ratio, s.Protocol+":"+endpoint(s.Address, s.Port))
	}
}

func (c collector) status(out chan<- prometheus.Metric) {
	s := c.source.Status()
	info.send(out, 1, s.Version, s.DPDK)
	revision.send(out, s.Revision)
	flowsMax.send(out, s.FlowsMax-s.Flows6Max, "ipv4")
	flowsMax.send(out, s.Flows6Max, "ipv6")
	mbufs.send(out, uint64(s.Mbufs))
	mbufsInUse.send(out, uint64(s.MbufsInUse))
	mbufsHigh.send(out, uint64(s.MbufsHigh))
	for outcome, n := range s.Kernel.TunnelErrors {
		tunnelErrors.send(out, n, outcome)
	}
	noTwin.send(out, s.Kernel.NoTwin)
	resolveDropped.send(out, s.Kernel.ResolveDropped)
}

func sendWorker(out chan<- prometheus.Metric, w api.Worker) {
	id := strconv.Itoa(w.ID)
	received.send(out, w.Received, id)
	generated.send(out, w.Generated, id)
	flows.send(out, w.Flows-w.Flows6, id, "ipv4")
	flows.send(out, w.Flows6, id, "ipv6")
	flowsCreated.send(out, w.FlowsNew, id)
	flowsExpired.send(out, w.FlowsExpired, id)
	flowsEvicted.send(out, w.FlowsEvicted, id)
	polls.send(out, w.Polls, id)
	busyPolls.send(out, w.BusyPolls, id)
}

func sendPort(out chan<- prometheus.Metric, p api.Port) {
	up := uint64(0)
	if p.Link == "up" {
		up = 1
	}
	portUp.send(out, up, p.Name)
	portRxPackets.send(out, p.RxPackets, p.Name)
	portTxPackets.send(out, p.TxPackets, p.Name)
	portRxBytes.send(out, p.RxBytes, p.Name)
	portTxBytes.send(out, p.TxBytes, p.Name)
	portLost.send(out, p.RxMissed, p.Name, "rx-missed")
	portLost.send(out, p.RxErrors, p.Name, "rx-errors")
	portLost.send(out, p.TxErrors, p.Name, "tx-errors")
	portLost.send(out, p.RxNoBuf, p.Name, "rx-no-mbuf")
	portToKernel.send(out, p.ToKernel, p.Name)
	portFromKernel.send(out, p.FromKernel, p.Name)
	for _, t := range p.Twins {
		for reason, n := range t.Lost {
			twinLost.send(out, n, p.Name, t.Name, reason)
		}
	}
}

func sendService(out chan<- prometheus.Metric, s api.ServiceCounters) {
	service := s.Protocol + ":" + endpoint(s.Address, s.Port)
	for _, b := range s.Backends {
		backend := endpoint(b.Address, b.Port)
		weight.send(out, uint64(b.Weight), service, backend)
		backendFlows.send(out, b.Flows, service, backend)
		backendActive.send(out, b.Active, service, backend)
		backendInactive.send(out, b.Inactive, service, backend)
		backendPackets.send(out, b.InPackets, service, backend, "in")
		backendPackets.send(out, b.OutPackets, service, backend, "out")
		backendBytes.send(out, b.InBytes, service, backend, "in")
		backendBytes.send(out, b.OutBytes, service, backend, "out")
	}
}

func endpoint(address string, port uint16) string {
	return net.JoinHostPort(address, strconv.Itoa(int(port)))
}
