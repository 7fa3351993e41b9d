package e2e

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Transfers run to one backend while others of the same services come, go and
// change weight: whoever is not removed loses nothing.
func TestBackendChangesSpareOtherTransfers(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	var all []*download
	var keys []api.Key
	for _, mode := range modes {
		key := d.add(mode, "tcp", "rs1")
		keys = append(keys, key)
		for range 12 {
			all = append(all, l.download(key))
		}
	}
	before := d.status().Revision
	for round := range uint32(10) {
		for _, key := range keys {
			d.churn(key, round)
			for _, one := range all {
				require.NoError(t, one.some())
			}
		}
	}
	assert.GreaterOrEqual(t, d.status().Revision-before, uint64(100))
	assert.Equal(t, 24, d.established(d.backend(keys[0], "rs1")), "all still run: the changes happened under them")
	for _, one := range all {
		require.NoError(t, one.rest())
	}
	d.stop()
}

// churn makes six changes, with requests between them that use the new backend.
func (d *daemon) churn(key api.Key, round uint32) {
	d.t.Helper()
	rs1, rs2 := d.backend(key, "rs1"), d.backend(key, "rs2")
	nobody := netip.AddrPortFrom(netip.MustParseAddr("10.0.0.77"), key.Port)
	d.putBackend(key, nobody, 0)
	d.putBackend(key, rs2, 1)
	for range 2 {
		_, err := d.lab.get(key, "churn")
		require.NoError(d.t, err)
	}
	d.putBackend(key, rs2, 2+round)
	d.putBackend(key, rs1, 3+round)
	d.deleteBackend(key, rs2)
	d.deleteBackend(key, nobody)
}

// established counts TCP flows in that state, to a backend or to all.
func (d *daemon) established(backend netip.AddrPort) (n int) {
	d.t.Helper()
	for _, f := range d.flows(api.FlowFilter{Backend: backend}) {
		if f.State == "ESTABLISHED" {
			n++
		}
	}
	return n
}

// What a removed backend's flows send is dropped by name; when it comes back it
// is the same backend, and the flows go on.
func TestRemovedBackendsFlowsRestAndLiveAgain(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		t.Run(mode+" udp", func(t *testing.T) {
			key := d.add(mode, "udp", "rs1")
			conn := l.dialUDP(key)
			require.Equal(t, "rs1", l.ask(conn, "before"))
			flow := d.flows(api.FlowFilter{Service: &key})
			require.Len(t, flow, 1)

			d.putBackend(key, d.backend(key, "rs2"), 1)
			d.deleteBackend(key, d.backend(key, "rs1"))
			gone := d.verdicts()["backend-gone"]
			for i := range 5 {
				_, err := fmt.Fprintf(conn, "removed-%d", i)
				require.NoError(t, err)
			}
			eventually(t, "5 packets dropped", func() bool { return d.verdicts()["backend-gone"] == gone+5 })
			assert.Empty(t, l.logged("rs1", "udp", " removed-"))
			assert.Empty(t, l.logged("rs2", "udp", " removed-"))
			_, backends := d.counters(key)
			assert.True(t, backends[l.addr("rs1").String()].Removed)
			assert.Equal(t, "rs2", l.ask(l.dialUDP(key), "new"), "new flows go elsewhere")

			d.putBackend(key, d.backend(key, "rs1"), 1)
			require.Equal(t, "rs1", l.ask(conn, "after"))
			again := d.flows(api.FlowFilter{Service: &key, Backend: d.backend(key, "rs1")})
			require.Len(t, again, 1)
			assert.Equal(t, flow[0].Client, again[0].Client)
			assert.Equal(t, flow[0].Local, again[0].Local)
			assert.EqualValues(t, gone+5, d.verdicts()["backend-gone"])
		})
		t.Run(mode+" tcp", func(t *testing.T) {
			key := d.add(mode, "tcp", "rs1")
			transfer, rest := l.download(key), make(chan error)
			gone := d.verdict("backend-gone")
			d.deleteBackend(key, d.backend(key, "rs1"))
			go func() { rest <- transfer.rest() }()
			eventually(t, "packets dropped", func() bool { return d.verdict("backend-gone") > gone })
			d.putBackend(key, d.backend(key, "rs1"), 1)
			require.NoError(t, <-rest)
		})
	}
	d.stop()
}

// verdict is how many packets have ended one way so far.
func (d *daemon) verdict(name string) uint64 {
	d.t.Helper()
	list, err := d.Verdicts(ctx)
	require.NoError(d.t, err)
	for _, v := range list {
		if v.Name == name {
			return v.Packets
		}
	}
	d.t.Fatalf("no verdict %s", name)
	return 0
}
