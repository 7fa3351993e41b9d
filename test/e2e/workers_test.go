package e2e

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Two workers on two queues: the kernel spreads packets over the queues as it
// likes, so about half of them arrive at the wrong worker and are handed over.
func TestTwoWorkersForwardExactly(t *testing.T) {
	l := newLab(t)
	two := port("device", "net_af_packet0,iface=eth0,qpairs=2")
	two["workers.cores"] = []int{0, 1}
	d := l.start(setup{Config: two})
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			web, echo := d.add(mode, "tcp", "rs1", "rs2"), d.add(mode, "udp", "rs1", "rs2")
			answers := l.getMany(100, web, "two-"+mode)
			assert.Equal(t, 100, answers["rs1"]+answers["rs2"])
			total, backends := d.counters(web)
			assert.EqualValues(t, 100, total.Flows)
			for _, server := range []string{"rs1", "rs2"} {
				l.hasLogged(server, "http", "/two-"+mode+"?", answers[server])
				assert.EqualValues(t, answers[server], backends[l.addr(server).String()].Flows)
				// Each worker goes round on its own, so they are one apart at most.
				assert.InDelta(t, 50, answers[server], 1)
			}
			asked := map[string]int{}
			for i := range 100 {
				asked[l.ask(l.dialUDP(echo), fmt.Sprintf("two-%d", i))]++
			}
			assert.InDelta(t, 50, asked["rs1"], 1)
			total, _ = d.counters(echo)
			assert.EqualValues(t, 100, total.Flows)
			assert.EqualValues(t, 100, total.InPackets)
			assert.Equal(t, replies(mode, 100), total.OutPackets)
			l.finish(append(l.transfers(8, web, "1m.bin"), l.transfer(web, "64m.bin")))
		})
	}
	workers, handed, ports := d.countWithPorts()
	require.Len(t, workers, 2)
	assert.NotZero(t, handed)
	assert.Equal(t, handed, workers[0].HandedOver+workers[1].HandedOver)
	for _, w := range workers {
		assert.NotZero(t, w.FlowsNew, "worker %d has flows of its own", w.ID)
		assert.NotZero(t, w.HandedOver, "worker %d", w.ID)
	}
	assert.Equal(t, ports[0].RxPackets+handed, workers[0].Received+workers[1].Received,
		"handed-over packets are received twice, all others once")
	assert.Equal(t, handed, ports[0].HandedOver)
	for _, w := range workers {
		assert.Equal(t, w.HandedOver, w.Ports[0].HandedOver, "worker %d", w.ID)
		ring := w.Rings[0]
		assert.Equal(t, api.RingFromWorker, ring.Kind)
		assert.Equal(t, fmt.Sprint(1-w.ID), ring.Peer)
		assert.Positive(t, ring.Highest, "worker %d has found handed-over packets", w.ID)
	}
	d.stop()
}

// countWithPorts is the workers, the hand-overs and the devices' own counters at
// one moment.
func (d *daemon) countWithPorts() ([]api.Worker, uint64, []api.Port) {
	d.t.Helper()
	for {
		workers, verdicts := d.count()
		ports, err := d.Ports(ctx)
		require.NoError(d.t, err)
		after, err := d.Workers(ctx)
		require.NoError(d.t, err)
		if slices.EqualFunc(workers, after, sameCounts) {
			return workers, verdicts["handover"], ports
		}
	}
}
