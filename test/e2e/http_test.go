package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHTTPIsSpreadExactly(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			key := d.add(mode, "tcp", "rs1", "rs2")
			assert.Equal(t, map[string]int{"rs1": 50, "rs2": 50}, l.getMany(100, key, "spread-"+mode))
			for _, server := range []string{"rs1", "rs2"} {
				l.hasLogged(server, "http", "/spread-"+mode+"?", 50)
				// Who the servers think they speak with, and as whom.
				seen := fmt.Sprintf("%s %s /", l.addr("local"), l.addr(server))
				if mode == "dr" {
					seen = fmt.Sprintf("%s %s /", l.addr("client"), key.Address)
				}
				for _, line := range l.logged(server, "http", "/spread-"+mode+"?") {
					require.Contains(t, line, seen)
				}
			}
			total, backends := d.counters(key)
			assert.EqualValues(t, 100, total.Flows)
			assert.EqualValues(t, 50, backends[l.addr("rs1").String()].Flows)
			assert.EqualValues(t, 50, backends[l.addr("rs2").String()].Flows)
			assert.Zero(t, total.Active, "all connections are over")
			assert.GreaterOrEqual(t, total.InPackets, uint64(400), "SYN, ACK, request, FIN at least")
			if mode == "dr" {
				assert.Zero(t, total.OutPackets, "replies bypass the gateway")
			} else {
				assert.GreaterOrEqual(t, total.OutPackets, uint64(300), "SYN+ACK, answer, FIN at least")
			}
		})
	}
	d.stop()
}

// hasLogged waits until a server has logged n exchanges with a mark, and makes
// sure that it does not log more.
func (l *lab) hasLogged(server, log, mark string, n int) {
	l.t.Helper()
	eventually(l.t, fmt.Sprintf("%s logs %d exchanges %s", server, n, mark), func() bool {
		return len(l.logged(server, log, mark)) >= n
	})
	assert.Len(l.t, l.logged(server, log, mark), n)
}

func TestLargeTransferIsIntact(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			key := d.add(mode, "tcp", "rs1")
			require.NoError(t, <-l.transfer(key, "64m.bin"))
			total, _ := d.counters(key)
			assert.EqualValues(t, 1, total.Flows)
			if mode == "fullnat" {
				assert.GreaterOrEqual(t, total.OutBytes, uint64(64<<20))
			}
		})
	}
	d.stop()
}

func TestParallelTransfersAreIntact(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	var all []<-chan error
	for _, mode := range modes {
		all = append(all, l.transfers(16, d.add(mode, "tcp", "rs1", "rs2"), "1m.bin")...)
	}
	l.finish(all)
	for _, mode := range modes {
		key, err := l.service(mode, "tcp").Key()
		require.NoError(t, err)
		_, backends := d.counters(key)
		assert.EqualValues(t, 8, backends[l.addr("rs1").String()].Flows, mode)
		assert.EqualValues(t, 8, backends[l.addr("rs2").String()].Flows, mode)
	}
	d.stop()
}
