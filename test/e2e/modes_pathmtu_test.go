package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTunnelsOverNarrowNetworks: rs1 is a router to rs2, and the link behind it
// takes less than ours. It says so to the gateway, whose packet the outer one is,
// and the client, whose packets vanish, has to hear of it.
func TestTunnelsOverNarrowNetworks(t *testing.T) {
	const narrow = 1400
	l := newTwoArmLab(t)
	d := l.startBoth(setup{})
	l.run("rs1", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
		"net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
	for _, family := range []string{"4", "6"} {
		to := l.address("rs2", family).String()
		l.run("rs1", "ip", "-"+family, "route", "add", to, "dev", "eth0", "mtu", fmt.Sprint(narrow))
		l.run("gw", "ip", "-"+family, "route", "add", to, "via", l.address("rs1", family).String(), "dev", "sl-back")
	}
	for _, w := range ways {
		if w.mode != "tun" {
			continue
		}
		t.Run(w.String(), func(t *testing.T) {
			key := d.addWay(w, "tcp", "rs2")
			args := append(curl, "--fail", "-T", filepath.Join(root, "build/lab/1m.bin"), url(key, "upload/1m.bin"))
			out, err := l.command("client", args...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			if w.family == "6" && w.servers == "4" {
				return // without DF: the router fragments what is outside
			}
			assert.Contains(t, l.pathTo(key), fmt.Sprintf("mtu %d", narrow-w.overhead()))
		})
	}
	errors := d.status().Kernel.TunnelErrors
	assert.NotZero(t, errors["passed"], "%v", errors)
	assert.Zero(t, errors["limit"]+errors["send-failed"], "%v", errors)
	d.stop()
}
