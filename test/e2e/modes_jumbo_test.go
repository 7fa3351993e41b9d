package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mtu sets the MTU of hosts' devices and of the switch's ports they are at.
func (l *lab) mtu(mtu int, devices ...[2]string) {
	l.t.Helper()
	for _, d := range devices {
		host, device := d[0], d[1]
		l.run("lan", "ip", "link", "set", host+"-"+device, "mtu", fmt.Sprint(mtu))
		l.run(host, "ip", "link", "set", device, "mtu", fmt.Sprint(mtu))
	}
}

// mtus is a two-arm lab's ports with an MTU each.
func (l *lab) mtus(front, back int) map[string]any {
	port := func(name, device string, mtu int, gw string) any {
		return map[string]any{"name": name, "device": device, "twin": "sl-" + name, "mtu": mtu,
			"addresses": []string{l.addr(gw).String() + "/24", l.address(gw, "6").String() + "/64"}}
	}
	return map[string]any{"ports": []any{
		port("front", "net_af_packet0,iface=eth0", front, "gw"),
		port("back", "net_af_packet1,iface=eth1", back, "gw-back"),
	}}
}

// A two-arm lab's devices in front of the gateway, and behind it.
var (
	fore = [][2]string{{"client", "eth0"}, {"gw", "eth0"}, {"rs1", "eth1"}, {"rs2", "eth1"}}
	aft  = [][2]string{{"gw", "eth1"}, {"rs1", "eth0"}, {"rs2", "eth0"}}
)

func TestJumboFramesPassInEveryMode(t *testing.T) {
	l := newTwoArmLab(t)
	l.mtu(9000, fore...)
	l.mtu(9000, aft...)
	d := l.startBoth(setup{Config: l.mtus(9000, 9000)})
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			key := d.addWay(w, "tcp", "rs1")
			require.NoError(t, <-l.transfer(key, "64m.bin"))
			require.NoError(t, l.upload(key, "rs1"))
			total, _ := d.counters(key)
			assert.EqualValues(t, 2, total.Flows)
			// The acknowledgments of the download are small, the upload's segments 9000.
			assert.Less(t, total.InPackets, uint64(2*large/9000+large/4000))
			if !w.bypasses() {
				assert.Less(t, total.OutPackets, uint64(2*large/9000+large/4000))
			}
		})
	}
	d.stop()
}

// TestPortsOfDifferentMTU: what came in through the larger one and does not fit
// the smaller is answered for, and the sender adapts.
func TestPortsOfDifferentMTU(t *testing.T) {
	for _, c := range []struct{ front, back int }{{9000, 1500}, {1500, 9000}} {
		t.Run(fmt.Sprintf("%d-%d", c.front, c.back), func(t *testing.T) {
			l := newTwoArmLab(t)
			l.mtu(c.front, fore...)
			l.mtu(c.back, aft...)
			d := l.startBoth(setup{Config: l.mtus(c.front, c.back)})
			for _, w := range ways {
				t.Run(w.String(), func(t *testing.T) {
					key, before := d.addWay(w, "tcp", "rs1"), d.verdicts()["answered-too-big"]
					require.NoError(t, l.upload(key, "rs1"))
					// Where replies pass the gateway, servers announce what fits behind it.
					assert.Equal(t, w.bypasses() && c.front > c.back, d.verdicts()["answered-too-big"] > before)
				})
			}
			d.stop()
		})
	}
}
