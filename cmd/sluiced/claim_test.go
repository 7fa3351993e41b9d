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
	first, err := claim(ports("a", "b", "net_null0", "a"))
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
