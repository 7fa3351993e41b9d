package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/config"
)

// An interface has one holder at a time; who comes second learns who that is,
// and leaves nothing claimed.
func TestClaim(t *testing.T) {
	ports := func(devices ...string) *config.Config {
		c := new(config.Config)
		for i, d := range devices {
			if d != "net_null0" {
				d = fmt.Sprintf("net_af_packet%d,iface=claim%d%s", i, os.Getpid(), d)
			}
			c.Ports = append(c.Ports, config.Port{Name: fmt.Sprint("p", i), Device: d})
		}
		return c
	}
	first, err := claim(ports("a", "b", "net_null0"))
	require.NoError(t, err)
	assert.Len(t, first, 2, "one an interface, none without")

	_, err = claim(ports("c", "b"))
	require.Error(t, err)
	for _, part := range []string{"ports[1] (p1)", fmt.Sprintf("claim%db", os.Getpid()), fmt.Sprintf("process %d (", os.Getpid()), "choose another"} {
		assert.Contains(t, err.Error(), part)
	}
	other, err := claim(ports("c"))
	require.NoError(t, err, "the attempt that failed holds nothing")
	require.NoError(t, first.release())
	second, err := claim(ports("b", "a"))
	require.NoError(t, err)
	assert.NoError(t, second.release())
	assert.NoError(t, other.release())
}

// Two ports on one interface would get every frame twice: a line of the file
// that was copied and not changed.
func TestInterfaceOfTwoPorts(t *testing.T) {
	c := &config.Config{Ports: []config.Port{
		{Device: "net_af_packet0,iface=eth0", Twin: "sl-a"},
		{Device: "net_bonding0,mode=1,member=(net_af_packet1,iface=eth1),member=(net_af_packet2,iface=eth2)", Twin: "sl-b"},
	}}
	require.NoError(t, checkInterfaces(c))
	for device, want := range map[string]string{
		"net_af_packet3,iface=eth0": "ports[2].device: net_af_packet3,iface=eth0: interface eth0 is ports[0]'s already",
		"net_af_xdp0,iface=eth2":    "ports[2].device: net_af_xdp0,iface=eth2: interface eth2 is ports[1]'s already",
	} {
		more := &config.Config{Ports: append(c.Ports[:2:2], config.Port{Device: device, Twin: "sl-c"})}
		require.ErrorContains(t, checkInterfaces(more), want)
	}
	c.Ports[0].Twin = "eth1"
	require.EqualError(t, checkInterfaces(c), "ports[0].twin: eth1: is the interface of ports[1]: set another name")
}
