package e2e

import (
	"net/netip"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// A server gets another network card, as with a failover: it announces its new
// link address, and running transfers go on there.
func TestNewLinkAddressOfBackend(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	var all []*download
	for _, mode := range modes {
		key := d.add(mode, "tcp", "rs1")
		all = append(all, l.download(key), l.download(key))
	}
	l.run("rs1", "sysctl", "-q", "-w", "net.ipv4.conf.eth0.arp_notify=1")
	l.run("rs1", "ip", "link", "set", "dev", "eth0", "address", "02:00:00:00:77:01")
	for _, mode := range modes {
		key, err := l.service(mode, "tcp").Key()
		require.NoError(t, err)
		server, err := l.get(key, "new")
		require.NoError(t, err)
		assert.Equal(t, "rs1", server)
	}
	assert.Equal(t, 4, d.established(d.backend(api.Key{Port: 80}, "rs1")), "the change happened under them")
	for _, one := range all {
		require.NoError(t, one.rest())
	}
	d.stop()
}

// Nobody has the backend's address: packets are dropped by name. The client
// must time out, as it would with the server down, and not be refused.
func TestBackendThatNobodyHas(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			key := d.add(mode, "tcp")
			nobody := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.77"), key.Port)
			d.putBackend(key, nobody, 1)
			before, resets := d.verdicts()["no-neighbour"], l.resets()
			cmd := l.command("client", append(curl, "--max-time", "2", url(key, ""))...)
			var exit *exec.ExitError
			require.ErrorAs(t, cmd.Run(), &exit)
			assert.Equal(t, 28, exit.ExitCode(), "curl's code for a time-out")
			assert.Greater(t, d.verdicts()["no-neighbour"], before)
			assert.Empty(t, resets())
			d.deleteBackend(key, nobody)
			d.putBackend(key, d.backend(key, "rs2"), 1)
			server, err := l.get(key, "somebody")
			require.NoError(t, err)
			assert.Equal(t, "rs2", server)
		})
	}
	d.stop()
}

func TestRestartForgetsFlowsAndForwards(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	services := []api.Service{l.service("fullnat", "tcp", "rs1", "rs2"), l.service("dr", "tcp", "rs1", "rs2")}
	_, err := d.ReplaceServices(ctx, services, nil)
	require.NoError(t, err)
	key, err := services[0].Key()
	require.NoError(t, err)
	conn := l.dialTCP(key)
	eventually(t, "a connection is open", func() bool { return d.established(netip.AddrPort{}) == 1 })
	d.stop()

	d = l.start(setup{Config: map[string]any{"services": services}}) // from the file this time
	assert.ErrorIs(t, talk(conn), syscall.ECONNRESET, "its flow is forgotten, and it learns so")
	for _, s := range services {
		key, err := s.Key()
		require.NoError(t, err)
		assert.Equal(t, map[string]int{"rs1": 10, "rs2": 10}, l.getMany(20, key, "restart-"+s.Mode))
	}
	d.stop()
}
