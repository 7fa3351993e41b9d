package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// keepalived runs the real one over a gateway's twin; the higher priority owns
// the virtual address.
func (l *lab) keepalived(host, twin string, priority int, vip string) *process {
	l.t.Helper()
	file := l.write(host+"-keepalived.conf", fmt.Sprintf(`
global_defs {
	router_id %s
	vrrp_version 3
	script_user root
}
vrrp_instance web {
	interface %s
	state BACKUP
	virtual_router_id 51
	priority %d
	advert_int 0.2
	virtual_ipaddress { %s/32 dev %s }
}
`, host, twin, priority, vip, twin))
	pid := filepath.Join(l.dir, host+"-keepalived")
	return l.spawn(host, host+"-keepalived", "keepalived", "--dont-fork", "--vrrp", "--log-console", "--log-detail",
		"--use-file", file, "--pid", pid+".pid", "--vrrp_pid", pid+"-vrrp.pid")
}

// owner is which of the gateways has an address on its twin.
func (l *lab) owner(vip string) string {
	var owners []string
	for _, host := range []string{"gw", "gw2"} {
		out, err := l.command(host, "ip", "-4", "-o", "address", "show").CombinedOutput()
		require.NoError(l.t, err)
		if strings.Contains(string(out), " "+vip+"/32") {
			owners = append(owners, host)
		}
	}
	return strings.Join(owners, " ")
}

// Two gateways with real keepalived, which speaks VRRP through the twins and owns
// the virtual address. When the master's keepalived ends, or its sluiced is
// killed, the other one has the address, and new connections go through it.
func TestVirtualRouterFailover(t *testing.T) {
	for name, fail := range map[string]func(d *daemon, master *process){
		"keepalived stops": func(_ *daemon, master *process) { master.stop() },
		"sluiced is killed": func(d *daemon, _ *process) {
			d.kill()
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.join("gw2")
			external := func(config map[string]any) map[string]any { return with(config, "kernel.vips", "external") }
			first := l.start(setup{Config: external(port("addresses", []string{"10.0.0.1/24"}))})
			second := l.gateway("gw2", external(port("addresses", []string{"10.0.0.3/24"})))
			var key api.Key
			for i, d := range []*daemon{first, second} {
				s := l.service("fullnat", "tcp", "rs1", "rs2")
				s.LocalAddresses = []string{fmt.Sprintf("10.0.0.%d", 20+i)} // each its own
				key = d.put(s)
			}
			vip := key.Address.String()
			assert.Empty(t, l.owner(vip), "external addresses are not ours to add")

			master := l.keepalived("gw", "sl-lan", 200, vip)
			eventually(t, "the first gateway is master", func() bool { return l.owner(vip) == "gw" })
			backup := l.keepalived("gw2", "sl-lan", 100, vip)
			require.Equal(t, map[string]int{"rs1": 5, "rs2": 5}, l.getMany(10, key, "before"))
			assert.Equal(t, "gw", l.owner(vip), "the backup hears the master")
			before := l.neighbor("client", key.Address)
			assert.Equal(t, l.mac("gw").String(), before)
			assert.Zero(t, second.flowsMade(key))

			fail(first, master)
			eventually(t, "the second gateway has the address", func() bool { return strings.HasSuffix(l.owner(vip), "gw2") })
			eventually(t, "the client knows", func() bool { return l.neighbor("client", key.Address) == l.mac("gw2").String() })
			require.Equal(t, map[string]int{"rs1": 5, "rs2": 5}, l.getMany(10, key, "after"))
			assert.EqualValues(t, 10, second.flowsMade(key))

			backup.stop()
			if first.running() {
				first.stop()
			}
			second.quiet()
		})
	}
}

// flowsMade is how many flows a service has had.
func (d *daemon) flowsMade(key api.Key) uint64 {
	total, _ := d.counters(key)
	return total.Flows
}
