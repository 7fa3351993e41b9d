package api

import "time"

// Status is the daemon at a glance.
type Status struct {
	Version    string    `json:"version"`
	DPDK       string    `json:"dpdk" doc:"Version of DPDK in use."`
	PID        int       `json:"pid"`
	Started    time.Time `json:"started"`
	Revision   uint64    `json:"revision"`
	Services   int       `json:"services"`
	Backends   int       `json:"backends"`
	Workers    int       `json:"workers"`
	Flows      uint64    `json:"flows" doc:"Of both families."`
	FlowsMax   uint64    `json:"flows_max" doc:"Of both families; each has room of its own."`
	Flows6     uint64    `json:"flows6" doc:"IPv6 alone."`
	Flows6Max  uint64    `json:"flows6_max" doc:"IPv6 alone."`
	Evicted    uint64    `json:"flows_evicted" doc:"Embryonic flows ended to make room for new ones."`
	MbufsInUse int       `json:"mbufs_in_use" doc:"Packet buffers out of the pool, receive rings included."`
	MbufsHigh  int       `json:"mbufs_highest" doc:"Most packet buffers out of the pool at one look a second, since the start."`
	Mbufs      int       `json:"mbufs"`
	Hugepages  bool      `json:"hugepages"`

	Busy        []float64    `json:"busy" nullable:"false" doc:"Per worker: share of the last second in polls that moved packets, 0 to 1."`
	Saturated   []Saturation `json:"saturated" nullable:"false" doc:"Workers that do not keep up."`
	FullestRing *Ring        `json:"fullest_ring,omitempty" doc:"The ring between workers or with the kernel path that was fullest since the start."`

	Kernel KernelPath `json:"kernel" doc:"The way between workers and the gateway's kernel."`
}

// KernelPath is what the way between workers and the kernel counts, beside the twins.
type KernelPath struct {
	TunnelErrors   map[string]uint64 `json:"tunnel_errors" doc:"ICMP errors that came to the gateway, by what became of them: passed to the client (too big for a tunnel), not-ours (about no tunnel of ours), nothing-to-tell (the client cannot send less, or did already), limit (more a second than limits.answers), send-failed."`
	NoTwin         uint64            `json:"no_twin" doc:"Frames from workers for a port or VLAN that has no twin."`
	ResolveDropped uint64            `json:"resolve_dropped" doc:"Requests of workers to find a neighbor, beyond what is asked of the kernel."`
	OwnBackends    []string          `json:"own_backends" nullable:"false" doc:"Backends' addresses that are the gateway's own: packets for them are dropped as no-neighbour."`
}

// Port is a DPDK port, its twin and its counters.
type Port struct {
	Name       string `json:"name"`
	Device     string `json:"device" doc:"DPDK device arguments."`
	Driver     string `json:"driver"`
	MAC        string `json:"mac"`
	MTU        uint16 `json:"mtu"`
	Link       string `json:"link" enum:"up,down"`
	Queues     uint16 `json:"queues"`
	Twin       string `json:"twin" doc:"Tap through which the kernel sees the port's untagged network."`
	RxPackets  uint64 `json:"rx_packets"`
	TxPackets  uint64 `json:"tx_packets"`
	RxBytes    uint64 `json:"rx_bytes"`
	TxBytes    uint64 `json:"tx_bytes"`
	RxMissed   uint64 `json:"rx_missed"`
	RxErrors   uint64 `json:"rx_errors"`
	TxErrors   uint64 `json:"tx_errors"`
	RxNoBuf    uint64 `json:"rx_nobuf"`
	ToKernel   uint64 `json:"to_kernel" doc:"Frames written to the twins."`
	FromKernel uint64 `json:"from_kernel" doc:"Frames read from the twins."`
	HandedOver uint64 `json:"handed_over" doc:"Packets that the device brought to a worker that does not own them."`

	Twins  []Twin   `json:"twins" nullable:"false" doc:"Of the untagged network and of each VLAN."`
	Limits []string `json:"limits" nullable:"false" doc:"What the device lacks, and what is done instead."`
}

// Twin is the tap through which the kernel sees one network of a port.
type Twin struct {
	Name       string            `json:"name"`
	VLAN       uint16            `json:"vlan" doc:"802.1Q id; 0: untagged."`
	ToKernel   uint64            `json:"to_kernel" doc:"Frames written to the twin."`
	FromKernel uint64            `json:"from_kernel" doc:"Frames read from the twin."`
	Lost       map[string]uint64 `json:"lost" doc:"Frames that did not reach the other side, by reason."`
}

// Worker is one poll loop.
type Worker struct {
	ID           int     `json:"id"`
	Core         int     `json:"core"`
	Received     uint64  `json:"received" doc:"Frames from ports and other workers."`
	Generated    uint64  `json:"generated" doc:"Frames from the kernel."`
	Transmitted  uint64  `json:"transmitted"`
	ToKernel     uint64  `json:"to_kernel"`
	HandedOver   uint64  `json:"handed_over"`
	Dropped      uint64  `json:"dropped"`
	Flows        uint64  `json:"flows" doc:"Of both families."`
	FlowsMax     uint64  `json:"flows_max" doc:"Of both families; each has room of its own."`
	Flows6       uint64  `json:"flows6" doc:"IPv6 alone."`
	Flows6Max    uint64  `json:"flows6_max" doc:"IPv6 alone."`
	FlowsNew     uint64  `json:"flows_created"`
	FlowsExpired uint64  `json:"flows_expired" doc:"Ended by their time-out."`
	FlowsEvicted uint64  `json:"flows_evicted" doc:"Embryonic, ended to make room for a new one."`
	Polls        uint64  `json:"polls"`
	BusyPolls    uint64  `json:"busy_polls" doc:"Rounds that moved packets."`
	BusySeconds  float64 `json:"busy_seconds" doc:"Time in rounds that moved packets."`
	Busy         float64 `json:"busy" doc:"That time's share of the last second, 0 to 1."`

	SaturatedSince *time.Time `json:"saturated_since,omitempty" doc:"There while the worker does not keep up: busy for 90% of the time, and half of the bursts from a port are full."`
	Gaps           Gaps       `json:"gaps" doc:"Time between two polls."`
	Ports          []Arrivals `json:"ports" nullable:"false" doc:"What it takes from each port."`
	Rings          []Ring     `json:"rings" nullable:"false" doc:"Where packets wait for it, or for the kernel path."`
}

// Verdict is how many packets ended one way.
type Verdict struct {
	Name    string   `json:"name"`
	Outcome string   `json:"outcome" enum:"transmitted,kernel,handed-over,dropped"`
	Packets uint64   `json:"packets"`
	Workers []uint64 `json:"workers" doc:"Per worker."`
	Help    string   `json:"help"`
}

// Traffic counts what went both ways.
type Traffic struct {
	Flows      uint64 `json:"flows" doc:"Flows created."`
	Active     uint64 `json:"active" doc:"TCP flows in SYN_RECV or ESTABLISHED."`
	Inactive   uint64 `json:"inactive" doc:"All other flows."`
	InPackets  uint64 `json:"in_packets" doc:"Client to backend."`
	InBytes    uint64 `json:"in_bytes" doc:"Bytes of IP packets."`
	OutPackets uint64 `json:"out_packets" doc:"Backend to client, through the gateway."`
	OutBytes   uint64 `json:"out_bytes"`
}

// BackendCounters is the traffic of a backend. Removed ones stay listed while
// flows remember them.
type BackendCounters struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	Weight  uint32 `json:"weight"`
	Removed bool   `json:"removed,omitempty"`
	Traffic
}

// ServiceCounters is the traffic of a service and its backends.
type ServiceCounters struct {
	Protocol string `json:"protocol"`
	Address  string `json:"address"`
	Port     uint16 `json:"port"`
	Mode     string `json:"mode"`
	Traffic
	Backends []BackendCounters `json:"backends"`
}

// Flow is one connection as the forwarder knows it.
type Flow struct {
	Worker     int    `json:"worker"`
	Protocol   string `json:"protocol"`
	Mode       string `json:"mode"`
	State      string `json:"state"`
	Client     string `json:"client" doc:"Address:port."`
	Virtual    string `json:"virtual"`
	Local      string `json:"local,omitempty" doc:"fullnat only."`
	Backend    string `json:"backend"`
	Expires    uint32 `json:"expires" doc:"Seconds until it ends if no packet comes."`
	InPackets  uint64 `json:"in_packets"`
	InBytes    uint64 `json:"in_bytes"`
	OutPackets uint64 `json:"out_packets"`
	OutBytes   uint64 `json:"out_bytes"`
}

// PortList is all ports.
type PortList struct {
	Ports []Port `json:"ports" nullable:"false"`
}

// WorkerList is all workers.
type WorkerList struct {
	Workers []Worker `json:"workers" nullable:"false"`
}

// VerdictList is all verdicts, in the order of the walk, those never seen
// included.
type VerdictList struct {
	Verdicts []Verdict `json:"verdicts" nullable:"false"`
}

// CounterList is the traffic of services.
type CounterList struct {
	Services []ServiceCounters `json:"services" nullable:"false"`
}
