package e2e

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The kernel behind a net_af_packet device sees copies of all frames, and has
// the virtual addresses on its twin: unless silenced it resets the connections
// that Sluice forwards.
func TestKernelBehindDeviceIsSilent(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			key := d.add(mode, "tcp", "rs1", "rs2")
			resets := l.resets()
			assert.Equal(t, map[string]int{"rs1": 10, "rs2": 10}, l.getMany(20, key, "silent"))
			d.quiet()
			assert.Empty(t, resets())
		})
	}
	d.stop()
}

// The same watch, with the silencing taken away: it has to notice, or the test
// above and the one of ping show nothing.
func TestWatchNoticesAKernelThatAnswers(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		d.add(mode, "tcp", "rs1", "rs2")
	}
	require.Contains(t, l.run("gw", "nft", "list", "tables"), "table netdev sluice-eth0")
	l.run("gw", "nft", "delete", "table", "netdev", "sluice-eth0")

	out, err := l.ping(l.addr("vip-dr"))
	require.NoError(t, err)
	assert.Contains(t, out, "DUP!")
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			key, err := l.service(mode, "tcp").Key()
			require.NoError(t, err)
			resets := l.resets()
			_, _ = l.get(key, "reset") // may fail or, when the server is faster, succeed
			d.quiet()
			assert.NotEmpty(t, resets())
		})
	}
	d.stop()
}

// resets watches client and servers; the result ends that, and returns where a
// TCP reset came in.
func (l *lab) resets() func() []string {
	watched := map[string]*wire{}
	for _, host := range []string{"client", "rs1", "rs2"} {
		watched[host] = l.wire(host, isReset)
	}
	return func() (seen []string) {
		for host, w := range watched {
			for _, p := range w.stop() {
				seen = append(seen, host+": "+p.NetworkLayer().NetworkFlow().String()+" "+p.TransportLayer().TransportFlow().String())
			}
		}
		return seen
	}
}
