package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDifferences(t *testing.T) {
	load := func(text string) *Config {
		c, err := Load(write(t, text), nil)
		require.NoError(t, err)
		return c
	}
	c := load(port)
	require.Empty(t, c.Differences(load(port)))
	require.Empty(t, c.Differences(load(port+"services: [{protocol: tcp, address: 10.0.0.1, port: 80, mode: dr, backends: []}]\n")))
	for text, want := range map[string][]string{
		port + "log: {level: warn}\ntimeouts: {udp: 5s}\nworkers: {cores: [1, 2]}":       {"workers.cores", "timeouts.udp", "log.level"},
		"ports: [{name: lan, device: net_null0, mtu: 9000, vlans: [{id: 5}]}]":           {"ports[0].mtu", "ports[0].vlans"},
		"ports: [{name: lan, device: net_null0}, {name: wan, device: net_null1}]":        {"ports"},
		"ports: [{name: lan, device: net_null0, addresses: [10.0.0.1/24]}]\nrun_dir: /x": {"run_dir", "ports[0].addresses"},
		port + "kernel: {vips: external}":                                                {"kernel.vips"},
	} {
		require.Equal(t, want, c.Differences(load(text)), text)
	}
	two := load("ports: [{name: a, device: x, vlans: [{id: 5}, {id: 6}]}]")
	require.Equal(t, []string{"ports[0].vlans[1].id", "ports[0].vlans[1].twin"},
		two.Differences(load("ports: [{name: a, device: x, vlans: [{id: 5}, {id: 7}]}]")))
}
