package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// The control socket, the CLI and Prometheus show which local ports are in use:
// two services that share a backend and a local address share its ports.
func TestLocalPortsAreShown(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	key := d.add("fullnat", "udp", "rs1", "rs2")
	other := l.service("fullnat", "udp", "rs1")
	other.Port, other.Backends[0].Port = 8007, 7
	_, err := d.PutService(ctx, other, nil)
	require.NoError(t, err)
	second, err := other.Key()
	require.NoError(t, err)
	for i := range 6 {
		l.ask(l.dialUDP(key), fmt.Sprint("first-", i))
	}
	for i := range 2 {
		l.ask(l.dialUDP(second), fmt.Sprint("second-", i))
	}

	rs1, local := d.backend(key, "rs1").String(), l.addr("local").String()
	ports, err := d.LocalPorts(ctx)
	require.NoError(t, err)
	const most = 64512
	want := api.ServicePorts{Protocol: "udp", Address: other.Address, Port: 8007, Backend: rs1, Used: 5, Max: most, Ratio: 5.0 / most}
	first := want
	first.Port = key.Port
	assert.ElementsMatch(t, []api.ServicePorts{want, first}, ports.Services)
	assert.Equal(t, []api.LocalAddress{{Address: local, Flows: 8, Backends: 2, Fullest: 5.0 / most}}, ports.Addresses)

	shown := strings.Fields(d.does("local-ports"))
	assert.Equal(t, []string{rs1, "5", "64512", "0.0%"}, shown[6:10])
	text := l.run("gw", "curl", "-sSf", "http://127.0.0.1:9105/metrics")
	assert.Contains(t, text, fmt.Sprintf("sluice_local_ports_used{address=%q} 8\n", local))
	assert.Contains(t, text, fmt.Sprintf("sluice_service_local_ports_ratio{service=%q} %v\n", key.String(), 5.0/most))

	taken := map[string]bool{}
	for _, f := range d.flows(api.FlowFilter{}) {
		assert.False(t, taken[f.Backend+f.Local], "%s of %s", f.Local, f.Backend)
		taken[f.Backend+f.Local] = true
	}
	assert.Len(t, taken, 8)

	_, err = d.DeleteService(ctx, second, nil)
	require.NoError(t, err)
	ports, err = d.LocalPorts(ctx)
	require.NoError(t, err)
	assert.Equal(t, []api.ServicePorts{first}, ports.Services, "flows of the other still have their ports")
	d.stop()
}
