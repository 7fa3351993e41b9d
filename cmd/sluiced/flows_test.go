package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/worker"
)

// TestFlowBecomesText: what a worker copies arrives as the API describes it, and on
// the way there is no garbage.
func TestFlowBecomesText(t *testing.T) {
	e, row, line := new(engine), new(api.FlowRow), make([]byte, 0, 1<<10)
	r := &worker.Record{Index: flow.MakeIndex(flow.IPv4, 1), Left: 9500 * time.Millisecond}
	r.Packets, r.Bytes = [2]uint64{1, 2}, [2]uint64{300, 400}
	f := &r.Entry4
	f.Proto, f.Mode, f.State = packet.ProtoTCP, service.ModeFullNAT, flow.StateEstablished
	f.Addrs = [2]uint64{0x64_00_00_0a_07_02_00_c0, 0x02_01_00_0a_0b_01_00_0a} // source in the low half, each in network order
	f.Sides[flow.Request].Ports, f.Sides[flow.Reply].Ports = 0x5000_0100, 0x0004_901f
	render4 := func() {
		ends := e.ends(r)
		render(row, 3, r, &ends)
		line = row.AppendJSON(line[:0])
	}
	assert.Zero(t, testing.AllocsPerRun(100, render4))
	var got api.Flow
	require.NoError(t, json.Unmarshal(line, &got))
	assert.Equal(t, api.Flow{Worker: 3, Protocol: "tcp", Mode: "fullnat", State: f.State.String(),
		Client: "192.0.2.7:1", Virtual: "10.0.0.100:80", Backend: "10.0.1.11:8080", Local: "10.0.1.2:1024", Expires: 9,
		InPackets: 1, InBytes: 300, OutPackets: 2, OutBytes: 400}, got)
}
