package metrics

import "github.com/prometheus/client_golang/prometheus"

// series is one metric: its description and type.
type series struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) series {
	return series{prometheus.NewDesc("sluice_"+name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) series {
	return series{prometheus.NewDesc("sluice_"+name, help, labels, nil), prometheus.GaugeValue}
}

func (s series) send(out chan<- prometheus.Metric, value uint64, labels ...string) {
	s.sendFloat(out, float64(value), labels...)
}

func (s series) sendFloat(out chan<- prometheus.Metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(s.desc, s.kind, value, labels...)
}

var (
	info       = gauge("build_info", "Always 1; what runs.", "version", "dpdk")
	revision   = gauge("config_revision", "Grows by 1 with every configuration change, from the start time in milliseconds.")
	flowsMax   = gauge("flows_max", "Flows that fit into the tables of all workers.", "family")
	mbufs      = gauge("mbufs", "Packet buffers in the pool.")
	mbufsInUse = gauge("mbufs_in_use", "Packet buffers out of the pool, receive rings included.")
	mbufsHigh  = gauge("mbufs_highest_in_use", "Most packet buffers out of the pool at one look a second, since the start.")

	verdictPackets = counter("packets_total", "Packets by how they ended.", "worker", "verdict", "outcome")
	received       = counter("worker_received_packets_total", "Packets from ports and other workers.", "worker")
	generated      = counter("worker_generated_packets_total", "Packets from the gateway's kernel.", "worker")
	flows          = gauge("worker_flows", "Flows in the worker's table.", "worker", "family")
	flowsCreated   = counter("worker_flows_created_total", "Flows created.", "worker")
	flowsExpired   = counter("worker_flows_expired_total", "Flows ended by their time-out.", "worker")
	flowsEvicted   = counter("worker_flows_evicted_total", "Embryonic flows ended to make room for new ones.", "worker")
	polls          = counter("worker_polls_total", "Rounds of the poll loop.", "worker")
	busyPolls      = counter("worker_busy_polls_total", "Rounds that moved packets.", "worker")
	busySeconds    = counter("worker_busy_seconds_total", "Time in rounds that moved packets; its rate is the share of the core that is in use.", "worker")
	isSaturated    = gauge("worker_saturated", "1 while the worker does not keep up: busy for 90% of the time, half of the bursts from a port full.", "worker")
	pollGap        = prometheus.NewDesc("sluice_worker_poll_gap_seconds", "Time between the beginnings of two rounds of the poll loop.", []string{"worker"}, nil)
	longestGap     = gauge("worker_longest_poll_gap_seconds", "The longest of these since the start.", "worker")

	arrivedPackets = counter("worker_port_packets_total", "Packets that the worker took from the port.", "worker", "port")
	arrivedBursts  = counter("worker_port_bursts_total", "Bursts that the worker took from the port, empty ones not counted.", "worker", "port")
	fullBursts     = counter("worker_port_full_bursts_total", "Of these, bursts of 64 packets: more were waiting.", "worker", "port")
	handedOver     = counter("worker_port_handed_over_packets_total", "Packets from the port that belong to another worker.", "worker", "port")

	ringWaiting = gauge("ring_packets", "Packets that wait in a ring between workers or with the kernel path.", "worker", "kind", "peer")
	ringHighest = gauge("ring_highest_packets", "Most packets that were found waiting there since the start.", "worker", "kind", "peer")
	ringSize    = gauge("ring_size_packets", "Packets that the ring has room for.", "worker", "kind", "peer")

	portUp         = gauge("port_up", "1 when the port has a carrier.", "port")
	portRxPackets  = counter("port_receive_packets_total", "Packets received by the device.", "port")
	portTxPackets  = counter("port_transmit_packets_total", "Packets transmitted by the device.", "port")
	portRxBytes    = counter("port_receive_bytes_total", "Bytes received by the device.", "port")
	portTxBytes    = counter("port_transmit_bytes_total", "Bytes transmitted by the device.", "port")
	portLost       = counter("port_lost_packets_total", "Packets lost in the device, by reason.", "port", "reason")
	portToKernel   = counter("port_to_kernel_packets_total", "Frames given to the kernel through the twins.", "port")
	twinLost       = counter("twin_lost_packets_total", "Frames that did not reach the other side of a twin, by reason.", "port", "twin", "reason")
	portFromKernel = counter("port_from_kernel_packets_total", "Frames from the kernel through the twins.", "port")

	tunnelErrors   = counter("tunnel_errors_total", "ICMP errors that came to the gateway, by what became of them: passed on to the client if it is about a tunnel of ours.", "outcome")
	noTwin         = counter("kernel_no_twin_packets_total", "Frames from workers for a port or VLAN that has no twin.")
	resolveDropped = counter("kernel_resolve_dropped_total", "Requests of workers to find a neighbor, beyond what is asked of the kernel.")

	localPortsUsed    = gauge("local_ports_used", "Flows that have a port of this local address (fullnat).", "address")
	serviceLocalPorts = gauge("service_local_ports_ratio", "Share of local ports in use towards the service's fullest backend, of the worker that has least left; at 1 new flows are dropped.", "service")

	weight          = gauge("backend_weight", "Configured weight; 0 for a removed backend.", "service", "backend")
	backendFlows    = counter("backend_flows_total", "Flows created.", "service", "backend")
	backendActive   = gauge("backend_active_flows", "TCP flows in SYN_RECV or ESTABLISHED.", "service", "backend")
	backendInactive = gauge("backend_inactive_flows", "All other flows.", "service", "backend")
	backendPackets  = counter("backend_packets_total", "Packets through the gateway.", "service", "backend", "direction")
	backendBytes    = counter("backend_bytes_total", "Bytes of IP packets through the gateway.", "service", "backend", "direction")
)
