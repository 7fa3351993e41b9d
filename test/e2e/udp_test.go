package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

func TestUDPFromManyPortsIsSpreadExactly(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			key := d.add(mode, "udp", "rs1", "rs2")
			answers := map[string]int{}
			for i := range 200 {
				answers[l.ask(l.dialUDP(key), fmt.Sprintf("many-%s-%d", mode, i))]++
			}
			assert.Equal(t, map[string]int{"rs1": 100, "rs2": 100}, answers)
			l.hasLogged("rs1", "udp", " many-"+mode+"-", 100)
			l.hasLogged("rs2", "udp", " many-"+mode+"-", 100)
			total, backends := d.counters(key)
			assert.EqualValues(t, 200, total.InPackets)
			assert.EqualValues(t, 200, total.Inactive, "UDP flows count as inactive")
			assert.EqualValues(t, 100, backends[l.addr("rs1").String()].Flows)
			assert.EqualValues(t, 100, backends[l.addr("rs2").String()].Flows)
			assert.Equal(t, replies(mode, 200), total.OutPackets)
		})
	}
	d.stop()
}

// replies is how many of n replies pass the gateway.
func replies(mode string, n uint64) uint64 {
	if mode == "dr" {
		return 0
	}
	return n
}

func TestUDPFlowSticksToItsBackend(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			key := d.add(mode, "udp", "rs1", "rs2")
			conn := l.dialUDP(key)
			first := l.ask(conn, "first")
			for i := range 50 {
				l.ask(l.dialUDP(key), fmt.Sprintf("other-%d", i)) // the scheduler moves on
				require.Equal(t, first, l.ask(conn, fmt.Sprintf("long-%d", i)))
			}
			d.quiet()
			var found int
			for _, f := range d.flows(api.FlowFilter{Service: &key}) {
				if f.Client != conn.LocalAddr().String() {
					continue
				}
				found++
				assert.Equal(t, d.backend(key, first).String(), f.Backend)
				assert.EqualValues(t, 51, f.InPackets)
				assert.Equal(t, replies(mode, 51), f.OutPackets)
			}
			assert.Equal(t, 1, found)
		})
	}
	d.stop()
}
