package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

const port = "ports: [{name: lan, device: 'net_null0'}]\n"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestDefaultsFillWhatTheFileLeavesOut(t *testing.T) {
	c, err := Load(write(t, port), nil)
	require.NoError(t, err)
	require.Equal(t, "/run/sluice", c.RunDir)
	require.Equal(t, []int{1}, c.Workers.Cores)
	require.Equal(t, 900*time.Second, c.Timeouts.TCPEstablished)
	require.Equal(t, "sl-lan", c.Ports[0].Twin)
	require.EqualValues(t, 1500, c.Ports[0].MTU)
}

func TestFileEnvironmentAndFlagsWinInThatOrder(t *testing.T) {
	file := write(t, port+"workers: {flows: 1000, idle: sleep}\nlog: {level: warn}\n")
	t.Setenv("SLUICE_WORKERS_FLOWS", "2000")
	t.Setenv("SLUICE_LOG_LEVEL", "error")
	t.Setenv("SLUICE_WORKERS_CORES", "2,3")
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags)
	require.NoError(t, flags.Parse([]string{"--workers-flows=3000"}))

	c, err := Load(file, flags)
	require.NoError(t, err)
	require.Equal(t, 3000, c.Workers.Flows)
	require.Equal(t, "error", c.Log.Level)
	require.Equal(t, "sleep", c.Workers.Idle)
	require.Equal(t, []int{2, 3}, c.Workers.Cores)
}

func TestAddressesRoutesAndServicesAreDecoded(t *testing.T) {
	c, err := Load(write(t, `
ports:
  - name: lan
    device: net_null0
    addresses: [10.0.0.1/24, "fd00::1/64"]
    routes: [{to: 0.0.0.0/0, via: 10.0.0.254}]
services:
  - {protocol: tcp, address: 10.0.0.100, port: 80, mode: dr, backends: [{address: 10.0.0.11, weight: 3}]}
`), nil)
	require.NoError(t, err)
	require.Equal(t, netip.MustParsePrefix("10.0.0.1/24"), c.Ports[0].Addresses[0])
	require.Equal(t, netip.MustParseAddr("10.0.0.254"), c.Ports[0].Routes[0].Via)
	require.EqualValues(t, 3, *c.Services[0].Backends[0].Weight)
}

// Each error names the file, the key, the value, and what to do.
func TestErrorsTeach(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"unknown key":         {port + "worker: {cores: [1]}\n", []string{"worker", "unknown key", "known are"}},
		"unknown nested key":  {port + "workers: {core: [1]}\n", []string{"workers", "core", "unknown key"}},
		"unknown port key":    {"ports: [{name: lan, device: x, mtuu: 9}]\n", []string{"ports[0]", "mtuu", "unknown key"}},
		"no ports":            {"workers: {idle: spin}\n", []string{"ports", "no port"}},
		"bad address":         {"ports: [{name: lan, device: x, addresses: [10.0.0.300/24]}]\n", []string{"10.0.0.300/24"}},
		"core twice":          {port + "workers: {cores: [1, 1]}\n", []string{"workers.cores", "1", "twice"}},
		"no core":             {port + "workers: {cores: []}\n", []string{"workers.cores", "no core"}},
		"bad idle":            {port + "workers: {idle: nap}\n", []string{"workers.idle", "nap", "spin"}},
		"too few flows":       {port + "workers: {flows: 1}\n", []string{"workers.flows", "1", "16"}},
		"bad duration":        {port + "timeouts: {udp: soon}\n", []string{"udp", "soon"}},
		"short duration":      {port + "timeouts: {udp: 1ms}\n", []string{"timeouts.udp", "1ms"}},
		"long twin":           {"ports: [{name: averyveryverylongname, device: x}]\n", []string{"ports[0].twin", "15"}},
		"twin with a space":   {"ports: [{name: a b, device: x}]\n", []string{"ports[0].twin", `"sl-a b"`, "no name"}},
		"twin with a slash":   {"ports: [{name: a, device: x, vlans: [{id: 7, twin: a/7}]}]\n", []string{"ports[0].vlans[0].twin", `"a/7"`, "no name"}},
		"device twice":        {"ports: [{name: a, device: x}, {name: b, device: x}]\n", []string{"ports[1].device", "ports[0].device"}},
		"bad route":           {"ports: [{name: a, device: x, routes: [{to: 0.0.0.0/0}]}]\n", []string{"ports[0].routes[0]"}},
		"relative socket":     {port + "control: {socket: sluice.sock}\n", []string{"control.socket", "absolute"}},
		"bad mode":            {port + "control: {mode: rw}\n", []string{"control.mode", "octal"}},
		"metrics address":     {port + "metrics: {listen: here}\n", []string{"metrics.listen", "here"}},
		"metrics port":        {port + "metrics: {listen: '127.0.0.1:99999'}\n", []string{"metrics.listen", "127.0.0.1:99999", "9105"}},
		"unknown service key": {port + "services: [{protocol: tcp, adress: 10.0.0.1}]\n", []string{"services[0].adress", "unknown field", "known are protocol, address, port"}},
		"not YAML":            {"ports: [", []string{"not valid YAML"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, c.text)
			_, err := Load(file, nil)
			require.Error(t, err)
			for _, want := range append(c.want, file) {
				require.Contains(t, err.Error(), want)
			}
		})
	}
}

// Who is told the file, and finds nothing wrong there, is told where to look.
func TestErrorsNameWhereTheValueIsFrom(t *testing.T) {
	file := write(t, port+"workers: {flows: 1}\n")
	t.Setenv("SLUICE_RUN_DIR", "here")
	t.Setenv("SLUICE_WORKERS_CORES", "1,x")
	t.Setenv("SLUICE_WORKERS_IDLE", "")
	t.Setenv("SLUICE_PORTS", "[]")
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags)
	require.NoError(t, flags.Parse([]string{"--log-level=loud"}))
	_, err := Load(file, flags)
	var all *Error
	require.ErrorAs(t, err, &all)
	require.ElementsMatch(t, []string{
		`run_dir: "here": no absolute path: begin it with / (the value is that of SLUICE_RUN_DIR in the environment)`,
		"workers.cores[1]: x: no whole number: write digits alone (the value is that of SLUICE_WORKERS_CORES in the environment)",
		`log.level: "loud": unknown: use debug, info, warn or error (the value is that of --log-level)`,
		"workers.flows: 1: out of range: use 16 to 268435456",
	}, all.Lines)
}

// All that is wrong with a file is said at once, a line each; what could not be
// read is not judged as well.
func TestAllErrorsOfAFile(t *testing.T) {
	file := write(t, "ports: [{name: lan, device: x, mtu: big, vlans: [{id: 0}, {id: 7}, {id: 7}]}]\n"+
		"workers: {flows: 1, cores: [a], bogus: 1}\nbogus: 1\nlog: {level: loud}\n")
	_, err := Load(file, nil, func(c *Config) error {
		require.Len(t, c.Ports, 1)
		return errors.Join(errors.New("services[0].mode: x: unknown"), errors.New("services[1].mode: y: unknown"))
	})
	var all *Error
	require.ErrorAs(t, err, &all)
	var keys []string
	for _, line := range all.Lines {
		keys = append(keys, keyOf(line))
	}
	require.ElementsMatch(t, []string{"ports[0].mtu", "ports[0].vlans[0].id", "ports[0].vlans[2].id", "ports[0].vlans[2].twin",
		"workers.flows", "workers.cores[0]", "workers.bogus", "bogus", "log.level", "services[0].mode", "services[1].mode"}, keys)
	for _, line := range strings.Split(err.Error(), "\n") {
		require.True(t, strings.HasPrefix(line, file+": "), line)
	}
}

// What YAML and mapstructure would guess is refused.
func TestNothingIsGuessed(t *testing.T) {
	for text, want := range map[string]string{
		"control: {mode: 0660}":                                   "control.mode: 432: no text: put it in quotes",
		"workers: {flows: 65536.5}":                               "workers.flows: 65536.5: no whole number",
		"workers: {flows: '0x10'}":                                "workers.flows: 0x10: no whole number",
		"eal: {hugepages: 1}":                                     "eal.hugepages: 1: neither true nor false",
		"eal: {hugepages: 'yes'}":                                 "eal.hugepages: yes: neither true nor false",
		"limits: {answers: -1}":                                   "limits.answers: -1: out of range: use 0 to 4294967295",
		"ports: [{name: a, device: x, mtu: 70000}]":               "ports[0].mtu: 70000: out of range: use 0 to 65535",
		"ports: [{name: 1, device: x}]":                           "ports[0].name: 1: no text: put it in quotes",
		"ports: [{name: a, device: x, vlans: [{id: 4095}]}]":      "ports[0].vlans[0].id: 4095: no VLAN: use 1 to 4094",
		"ports: [{name: a, device: x, addresses: [10.0.0.1]}]":    "ports[0].addresses[0]: \"10.0.0.1\": no address with prefix length",
		"ports: [{name: a, device: x, addresses: [224.0.0.1/4]}]": "ports[0].addresses[0]: 224.0.0.1/4: no address for an interface",
		"timeouts: {udp: 300}":                                    `timeouts.udp: "300": no duration`,
		"kernel: {vips: mine}":                                    `kernel.vips: "mine": unknown: use managed`,
		"eal: {main_core: 1}":                                     "workers.cores: 1: is eal.main_core",
	} {
		if !strings.Contains(text, "ports") {
			text += "\n" + port
		}
		_, err := Load(write(t, text), nil)
		require.ErrorContains(t, err, want, text)
		require.Equal(t, 0, strings.Count(err.Error(), "\n"), err)
	}
	_, err := Load(write(t, port+"eal: {main_core: 1}\nworkers: {idle: sleep}\n"), nil)
	require.NoError(t, err)
}

func TestVLANs(t *testing.T) {
	c, err := Load(write(t, `
ports:
  - name: lan
    device: net_null0
    vlans:
      - {id: 100, addresses: [10.0.100.1/24, "fd00:100::1/64"], routes: [{to: 10.9.0.0/16, via: 10.0.100.254}]}
      - {id: 4094, twin: guests}
`), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"sl-lan.100", "guests"}, []string{c.Ports[0].VLANs[0].Twin, c.Ports[0].VLANs[1].Twin})
	require.Equal(t, netip.MustParsePrefix("fd00:100::1/64"), c.Ports[0].VLANs[0].Addresses[1])
	require.Equal(t, netip.MustParseAddr("10.0.100.254"), c.Ports[0].VLANs[0].Routes[0].Via)
}

func TestMissingFileIsNamed(t *testing.T) {
	_, err := Load("/nonexistent/sluice.yaml", nil)
	require.ErrorContains(t, err, "/nonexistent/sluice.yaml")
	require.ErrorContains(t, err, "--config")
}

// The sample has every key there is, with the defaults where it can.
func TestSampleIsValidAndComplete(t *testing.T) {
	const sample = "../../deploy/sluice.yaml"
	_, err := Load(sample, nil)
	require.NoError(t, err)
	text, err := os.ReadFile(sample)
	require.NoError(t, err)
	for key := range defaults {
		_, leaf, nested := strings.Cut(key, ".")
		if !nested {
			leaf = key
		}
		require.Contains(t, string(text), leaf+":", "key %s is not in the sample", key)
	}
}

func TestEveryFlagIsAKey(t *testing.T) {
	for key := range flagHelp {
		require.Contains(t, defaults, key)
	}
}
