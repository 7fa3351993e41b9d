package api

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestFlowRow: a row is the JSON of its Flow.
func TestFlowRow(t *testing.T) {
	endpoint := func(t *rapid.T, name string) netip.AddrPort {
		size := rapid.SampledFrom([]int{4, 16}).Draw(t, name+" size")
		addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), size, size).Draw(t, name))
		return netip.AddrPortFrom(addr, rapid.Uint16().Draw(t, name+" port"))
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64()
		r := FlowRow{
			Worker: rapid.IntRange(0, 127).Draw(t, "worker"), Protocol: rapid.SampledFrom([]string{"tcp", "udp"}).Draw(t, "protocol"),
			Mode: rapid.SampledFrom([]string{"dr", "fullnat"}).Draw(t, "mode"), State: rapid.SampledFrom([]string{"UDP", "SYN_RECV"}).Draw(t, "state"),
			Client: endpoint(t, "client"), Virtual: endpoint(t, "virtual"), Backend: endpoint(t, "backend"),
			Expires: rapid.Uint32().Draw(t, "expires"), InPackets: n.Draw(t, "in"), InBytes: n.Draw(t, "in bytes"),
			OutPackets: n.Draw(t, "out"), OutBytes: n.Draw(t, "out bytes"),
		}
		f := Flow{
			Worker: r.Worker, Protocol: r.Protocol, Mode: r.Mode, State: r.State,
			Client: r.Client.String(), Virtual: r.Virtual.String(), Backend: r.Backend.String(),
			Expires: r.Expires, InPackets: r.InPackets, InBytes: r.InBytes, OutPackets: r.OutPackets, OutBytes: r.OutBytes,
		}
		if rapid.Bool().Draw(t, "fullnat") {
			r.Local = endpoint(t, "local")
			f.Local = r.Local.String()
		}
		want, err := json.Marshal(f)
		require.NoError(t, err)
		require.Equal(t, string(want)+"\n", string(r.AppendJSON(nil)))
	})
}

func TestFlowRowMakesNoGarbage(t *testing.T) {
	at := netip.MustParseAddrPort("[2001:db8:1111:2222:3333:4444:5555:6666]:65535")
	r := FlowRow{Client: at, Virtual: at, Local: at, Backend: at}
	b := make([]byte, 0, 1<<10)
	require.Zero(t, testing.AllocsPerRun(100, func() { b = r.AppendJSON(b[:0]) }))
}
