// Package config is the daemon's static configuration: what is read once, from
// a YAML file, the environment (SLUICE_EAL_MEMORY_MB for eal.memory_mb) and
// flags, the later winning. Services in the file are the control socket's own
// types and decoded as strictly.
//
// Runs on: start-up, and `sluiced check`. Touches: the file it is given.
package config

import (
	"net/netip"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Config is the whole static configuration. Durations are written 900s, 15m.
type Config struct {
	RunDir   string         `mapstructure:"run_dir"` // state, locks; created 0750
	Control  Control        `mapstructure:"control"`
	Metrics  Metrics        `mapstructure:"metrics"`
	EAL      EAL            `mapstructure:"eal"`
	Workers  Workers        `mapstructure:"workers"`
	Kernel   Kernel         `mapstructure:"kernel"`
	Limits   Limits         `mapstructure:"limits"`
	Timeouts Timeouts       `mapstructure:"timeouts"`
	Ports    []Port         `mapstructure:"ports"`
	Log      Log            `mapstructure:"log"`
	Services []api.Service  `mapstructure:"-"`
	Ignored  map[string]any `mapstructure:",remain"` // checked to be empty
}

// Control is the control socket.
type Control struct {
	Socket string `mapstructure:"socket"`
	Mode   string `mapstructure:"mode"`  // octal
	Group  string `mapstructure:"group"` // "": the daemon's
}

// Metrics is where Prometheus scrapes.
type Metrics struct {
	Listen string `mapstructure:"listen"` // "": only on the control socket
}

// EAL is DPDK's environment.
type EAL struct {
	Hugepages bool     `mapstructure:"hugepages"`
	MemoryMB  int      `mapstructure:"memory_mb"` // used without hugepages
	MainCore  int      `mapstructure:"main_core"` // housekeeping
	Prefix    string   `mapstructure:"prefix"`    // "": from the process id
	Mbufs     int      `mapstructure:"mbufs"`     // packet buffers
	Extra     []string `mapstructure:"extra"`
}

// Workers are the poll loops.
type Workers struct {
	Cores  []int  `mapstructure:"cores"`  // one worker each
	Idle   string `mapstructure:"idle"`   // spin or sleep
	Flows  int    `mapstructure:"flows"`  // of IPv4, per worker
	Flows6 int    `mapstructure:"flows6"` // of IPv6, per worker
}

// Kernel is the kernel path.
type Kernel struct {
	KeepTwins bool   `mapstructure:"keep_twins"`
	VIPs      string `mapstructure:"vips"` // managed: on the twins; external: somebody else's, as keepalived's
}

// Who puts virtual addresses on the gateway (kernel.vips).
const (
	VIPsManaged  = "managed"
	VIPsExternal = "external"
)

// Limits bound the configuration, and what strangers can make a worker do.
type Limits struct {
	Services        int    `mapstructure:"services"`
	Backends        int    `mapstructure:"backends"`
	KernelRouting   uint32 `mapstructure:"kernel_routing"` // packets a second, each worker
	KernelNeighbour uint32 `mapstructure:"kernel_neighbour"`
	KernelOther     uint32 `mapstructure:"kernel_other"`
	Answers         uint32 `mapstructure:"answers"` // ICMP errors a second, each worker
}

// Timeouts are how long idle flows live.
type Timeouts struct {
	TCPEstablished time.Duration `mapstructure:"tcp_established"`
	TCPSynReceived time.Duration `mapstructure:"tcp_syn_received"`
	TCPFinWait     time.Duration `mapstructure:"tcp_fin_wait"`
	TCPCloseWait   time.Duration `mapstructure:"tcp_close_wait"`
	TCPClose       time.Duration `mapstructure:"tcp_close"`
	UDP            time.Duration `mapstructure:"udp"`
}

// Port is a DPDK port and its twin.
type Port struct {
	Name      string         `mapstructure:"name"`
	Device    string         `mapstructure:"device"` // DPDK device arguments or PCI address
	Twin      string         `mapstructure:"twin"`   // tap; default sl-NAME
	MTU       uint16         `mapstructure:"mtu"`
	Addresses []netip.Prefix `mapstructure:"addresses"`
	Routes    []Route        `mapstructure:"routes"`
	VLANs     []VLAN         `mapstructure:"vlans"` // tagged, beside the untagged network
}

// VLAN is an 802.1Q network on a port, with a twin of its own.
type VLAN struct {
	ID        uint16         `mapstructure:"id"`   // 1 to 4094
	Twin      string         `mapstructure:"twin"` // tap; default the port's twin, a dot and the id
	Addresses []netip.Prefix `mapstructure:"addresses"`
	Routes    []Route        `mapstructure:"routes"`
}

// Route is a route that the daemon puts on the twin.
type Route struct {
	To  netip.Prefix `mapstructure:"to"`
	Via netip.Addr   `mapstructure:"via"`
}

// Log is the daemon's log on standard error.
type Log struct {
	Level  string `mapstructure:"level"`  // debug, info, warn, error
	Format string `mapstructure:"format"` // text, json
}

// defaults has every key but ports and services; a key without a default would
// be ignored in the environment.
var defaults = map[string]any{
	"run_dir":                   "/run/sluice",
	"control.socket":            api.DefaultSocket,
	"control.mode":              "0660",
	"control.group":             "",
	"metrics.listen":            "",
	"eal.hugepages":             false,
	"eal.memory_mb":             256,
	"eal.main_core":             0,
	"eal.prefix":                "",
	"eal.mbufs":                 16384,
	"eal.extra":                 []string{},
	"workers.cores":             []int{1},
	"workers.idle":              "spin",
	"workers.flows":             65536,
	"workers.flows6":            16384,
	"kernel.keep_twins":         false,
	"kernel.vips":               VIPsManaged,
	"limits.services":           16384,
	"limits.backends":           65536,
	"limits.kernel_routing":     20000,
	"limits.kernel_neighbour":   5000,
	"limits.kernel_other":       20000,
	"limits.answers":            1000,
	"timeouts.tcp_established":  "900s",
	"timeouts.tcp_syn_received": "60s",
	"timeouts.tcp_fin_wait":     "120s",
	"timeouts.tcp_close_wait":   "60s",
	"timeouts.tcp_close":        "10s",
	"timeouts.udp":              "300s",
	"log.level":                 "info",
	"log.format":                "text",
}
