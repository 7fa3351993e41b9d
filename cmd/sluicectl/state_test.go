package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/server/servertest"
)

var saturated = time.Unix(60, 0)

func state() *servertest.Engine {
	return &servertest.Engine{
		State: api.Status{Version: "1.2.3", DPDK: "DPDK 22.11.4", PID: 42, Started: time.Unix(0, 0), Workers: 2,
			Busy: []float64{0.125, 0.98765}, Saturated: []api.Saturation{{Worker: 1, Since: saturated}},
			FullestRing: &api.Ring{Worker: 1, Kind: api.RingFromWorker, Peer: "0", Waiting: 3, Highest: 1024, Size: 2048}, Flows: 275, FlowsMax: 1500, Flows6: 25, Flows6Max: 500, Evicted: 4, MbufsInUse: 512, MbufsHigh: 700, Mbufs: 8192,
			Kernel: api.KernelPath{TunnelErrors: map[string]uint64{"passed": 5, "not-ours": 0, "limit": 2}, OwnBackends: []string{"10.0.0.1"}}},
		PortList: []api.Port{{Name: "wan", Link: "up", MAC: "02:00:00:00:00:01", MTU: 1500, Queues: 1, Driver: "net_af_packet", Twin: "wan0",
			RxPackets: 1234567, RxBytes: 1 << 30, TxPackets: 1, TxBytes: 60, RxErrors: 1, TxErrors: 2, ToKernel: 7, FromKernel: 8, HandedOver: 9,
			Twins: []api.Twin{{Name: "wan0", ToKernel: 5, FromKernel: 8, Lost: map[string]uint64{"ring-full": 3, "write": 0, "twin-down": 1}},
				{Name: "wan0.100", VLAN: 100, ToKernel: 2}},
			Limits: []string{"no RSS: workers hand over", "no link state: read from the interface"}}},
		Loops: []api.Worker{{ID: 0, Core: 1, Received: 10, Generated: 2, Transmitted: 9, ToKernel: 2, Dropped: 1, Flows: 3, FlowsMax: 1500, Flows6: 1, Flows6Max: 500, FlowsNew: 5, FlowsExpired: 2, FlowsEvicted: 4, Busy: 0.125,
			SaturatedSince: &saturated, Gaps: api.Gaps{Count: 3, P50: 2.56e-7, P999: 1.0239e-5, P9999: 0.0012345, Longest: 2, LongestAt: &saturated},
			Ports: []api.Arrivals{{Port: "wan", Packets: 130, Bursts: 4, FullBursts: 2, HandedOver: 5, Fill: 32.46, Full: 0.5}, {Port: "lan"}},
			Rings: []api.Ring{{Kind: api.RingToKernel, Peer: "other", Waiting: 1, Highest: 12, Size: 1024}, {Kind: api.RingFromKernel, Peer: "wan", Size: 1024}}}},
		Ends: []api.Verdict{{Name: "forwarded", Outcome: "transmitted", Packets: 9, Workers: []uint64{9}, Help: "rewritten for its flow and transmitted"},
			{Name: "no-route", Outcome: "dropped", Packets: 1, Workers: []uint64{1}, Help: "the gateway's kernel has no route"},
			{Name: "fragment", Outcome: "dropped", Workers: []uint64{0}, Help: "fragment addressed to a service"}},
		Traffic: []api.ServiceCounters{{Protocol: "tcp", Address: "10.0.0.100", Port: 80, Mode: "fullnat",
			Traffic: api.Traffic{Flows: 100, Active: 1, Inactive: 2, InPackets: 700, InBytes: 55555, OutPackets: 600, OutBytes: 123456789},
			Backends: []api.BackendCounters{{Address: "10.0.1.11", Port: 80, Weight: 1, Traffic: api.Traffic{Flows: 50}},
				{Address: "10.0.1.12", Port: 80, Removed: true, Traffic: api.Traffic{Flows: 50}}}}},
		Locals: api.LocalPorts{
			Services: []api.ServicePorts{{Protocol: "tcp", Address: "10.0.0.100", Port: 80, Backend: "10.0.1.11:80", Used: 103220, Max: 129024, Ratio: 0.8125},
				{Protocol: "udp", Address: "2001:db8::1", Port: 53}},
			Addresses: []api.LocalAddress{{Address: "10.0.1.1", Flows: 51620, Backends: 2, Fullest: 0.8125}, {Address: "2001:db8::2"}}},
		FlowList: []api.Flow{{Protocol: "tcp", Mode: "fullnat", State: "ESTABLISHED", Client: "192.0.2.7:40000", Virtual: "10.0.0.100:80",
			Local: "10.0.1.1:1024", Backend: "10.0.1.11:80", Expires: 899, InPackets: 4, InBytes: 300, OutPackets: 3, OutBytes: 5000},
			{Protocol: "udp", Mode: "dr", State: "UDP", Client: "192.0.2.8:5", Virtual: "10.0.0.100:53", Backend: "10.0.1.12:53", Expires: 9}},
	}
}

func TestStateTables(t *testing.T) {
	s := newShell(t, state())
	s.ok("status", fmt.Sprintf(`
version     1.2.3
dpdk        DPDK 22.11.4
pid         42
started     %s
revision    0
services    0
backends    0
workers     2
busy        12.5%%, 98.8%%
saturated   worker 1 since %s
rings       fullest 1024 of 2048 (50.0%%), now 3: worker 1 from-worker 0
flows       250 of 1000 (25.0%%)
flows6      25 of 500 (5.0%%)
evicted     4
mbufs       512 of 8192 (6.2%%), at most 700
hugepages   no
tun-errors  limit 2, passed 5
warning     backend 10.0.0.1 is the gateway itself: its packets are dropped
`, time.Unix(0, 0).Format(time.RFC3339), saturated.Format(time.RFC3339)))
	s.ok("ports", `
PORT  LINK  MAC                 MTU  QUEUES  DRIVER         TWIN
wan   up    02:00:00:00:00:01  1500       1  net_af_packet  wan0

PORT       RX  RX-BYTES  TX  TX-BYTES  MISSED  ERRORS  NOBUF  HANDED-OVER
wan   1234567  1.00 GiB   1      60 B       0       3      0            9

TWIN      PORT  VLAN  TO-KERNEL  FROM-KERNEL  LOST
wan0      wan      -          5            8  ring-full 3, twin-down 1
wan0.100  wan    100          2            0  -

wan: no RSS: workers hand over
wan: no link state: read from the interface
`)
	since := saturated.Format(time.RFC3339)
	workers := fmt.Sprintf(`
WORKER  CORE  RECEIVED  GENERATED  TRANSMITTED  TO-KERNEL  HANDED-OVER  DROPPED
     0     1        10          2            9          2            0        1

WORKER  FLOWS   MAX  FLOWS6  MAX6  CREATED  EXPIRED  EVICTED
     0      2  1000       1   500        5        2        4

WORKER   BUSY  SATURATED%s  GAP-P50  GAP-P99.9  GAP-P99.99  GAP-LONGEST  LONGEST-AT
     0  12.5%%  since %s    256ns     10.2µs      1.23ms           2s  %s

WORKER  PORT  PACKETS  BURSTS  FILL   FULL  FULL-BURSTS  HANDED-OVER
     0  wan       130       4  32.5  50.0%%            2            5
     0  lan         0       0   0.0   0.0%%            0            0

WORKER  RING             WAITING  HIGHEST  SIZE
     0  to-kernel other        1       12  1024
`, strings.Repeat(" ", len("since ")+len(since)-len("SATURATED")), since, since)
	s.ok("workers", workers)
	s.ok("workers --all", workers+"     0  from-kernel wan        0        0  1024\n")
	s.ok("verdicts", `
VERDICT    OUTCOME      PACKETS  SHARE
forwarded  transmitted        9  90.0%
  rewritten for its flow and transmitted
no-route   dropped            1  10.0%
  the gateway's kernel has no route
`)
	s.ok("verdicts --all", `
VERDICT    OUTCOME      PACKETS  SHARE
forwarded  transmitted        9  90.0%
  rewritten for its flow and transmitted
no-route   dropped            1  10.0%
  the gateway's kernel has no route
fragment   dropped            0   0.0%
  fragment addressed to a service
`)
	s.ok("counters", `
SERVICE / BACKEND  MODE      WEIGHT  FLOWS  ACTIVE  INACTIVE   IN  IN-BYTES  OUT  OUT-BYTES
tcp:10.0.0.100:80  fullnat             100       1         2  700  54.3 KiB  600    118 MiB
  10.0.1.11:80                    1     50       0         0    0       0 B    0        0 B
  10.0.1.12:80              removed     50       0         0    0       0 B    0        0 B
`)
	s.ok("local-ports", `
SERVICE               FULLEST-BACKEND    USED      OF   FULL
tcp:10.0.0.100:80     10.0.1.11:80     103220  129024  81.2%
udp:[2001:db8::1]:53  -                     0       0   0.0%

ADDRESS      FLOWS  BACKENDS  FULLEST
10.0.1.1     51620         2    81.2%
2001:db8::2      0         0     0.0%
`)
	s.fails("counters tcp:10.0.0.100:81", 1, "service: tcp:10.0.0.100:81: no such service")
	s.ok("flows", `
CLIENT           SERVICE            BACKEND       STATE          LEFT
192.0.2.7:40000  tcp:10.0.0.100:80  10.0.1.11:80  ESTABLISHED  14m59s
192.0.2.8:5      udp:10.0.0.100:53  10.0.1.12:53  UDP              9s
`)
	s.ok("flows --wide", `
CLIENT           SERVICE            BACKEND       STATE          LEFT  MODE     LOCAL          IN  IN-BYTES  OUT  OUT-BYTES  WORKER
192.0.2.7:40000  tcp:10.0.0.100:80  10.0.1.11:80  ESTABLISHED  14m59s  fullnat  10.0.1.1:1024   4     300 B    3   4.88 KiB       0
192.0.2.8:5      udp:10.0.0.100:53  10.0.1.12:53  UDP              9s  dr       -               0       0 B    0        0 B       0
`)
}

// TestTablesFitATerminal: with what is ordinary in them for IPv4.
func TestTablesFitATerminal(t *testing.T) {
	engine := state()
	engine.FlowList = []api.Flow{{Protocol: "tcp", Mode: "fullnat", State: "ESTABLISHED", Client: "203.0.113.107:54321", Virtual: "192.0.2.81:443",
		Local: "192.168.10.2:31024", Backend: "192.168.10.11:8080", Expires: 899, InPackets: 1e9, InBytes: 1e12, OutPackets: 1e9, OutBytes: 1e12}}
	engine.Ends = []api.Verdict{{Name: "answered-no-backend", Outcome: "transmitted", Packets: 1e15, Help: strings.Repeat("why and what ", 20)}}
	s := newShell(t, engine)
	for _, verb := range []string{"flows", "verdicts"} {
		code, out, _ := s.run(verb, "")
		require.Zero(t, code)
		require.Greater(t, strings.Count(out, "\n"), 1)
		for line := range strings.Lines(out) {
			require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), lineWidth, "%s: %s", verb, line)
		}
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("x", lineWidth)
	require.Nil(t, wrap("", "  "))
	require.Equal(t, []string{"  a b"}, wrap("a b", "  "))
	require.Equal(t, []string{"  a", "  " + long, "  b"}, wrap("a "+long+" b", "  "))
	require.Equal(t, []string{long[:lineWidth-2] + " x", "y"}, wrap(long[:lineWidth-2]+" x y", ""))
}

func TestFlowFilters(t *testing.T) {
	s := newShell(t, state())
	for flags, want := range map[string]string{
		"--service udp:10.0.0.100:53": "192.0.2.8:5", "--client 192.0.2.7": "192.0.2.7:40000",
		"--backend 10.0.1.12": "192.0.2.8:5", "--backend 10.0.1.11:80": "192.0.2.7:40000", "--limit 1": "192.0.2.7:40000",
	} {
		code, out, errOut := s.run("flows -o json "+flags, "")
		require.Equal(t, 0, code, errOut)
		var f api.Flow
		require.NoError(t, json.Unmarshal([]byte(out), &f), "exactly one line: %s", out)
		require.Equal(t, want, f.Client)
	}
}

func TestMachineOutput(t *testing.T) {
	engine := state()
	s := newShell(t, engine)
	for line, want := range map[string]any{
		"status": engine.Status(), "ports": api.PortList{Ports: engine.PortList}, "workers": api.WorkerList{Workers: engine.Loops},
		"verdicts": api.VerdictList{Verdicts: engine.Ends}, "counters tcp:10.0.0.100:80": api.CounterList{Services: engine.Traffic},
		"local-ports": engine.Locals,
	} {
		wantJSON, err := json.Marshal(want)
		require.NoError(t, err)
		_, out, _ := s.run(line+" -o json", "")
		require.JSONEq(t, string(wantJSON), out, line)
		_, out, _ = s.run(line+" -o yaml", "")
		fromYAML, err := yaml.YAMLToJSON([]byte(out))
		require.NoError(t, err)
		require.JSONEq(t, string(wantJSON), string(fromYAML), line)
	}
}

func TestSpan(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0s", 1e-9: "1ns", 9.996e-7: "1µs", 1.0239e-5: "10.2µs", 0.0012345: "1.23ms", 68.7: "1m8.7s"} {
		require.Equal(t, want, span(seconds), "%g s", seconds)
	}
}
