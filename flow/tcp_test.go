package flow

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/packet"
)

// The rows follow ../shared/ipvs-facts.md and Linux's TCP tables for IPVS:
// after a flag, the next state of each of the states in order.
var tcpOrder = []State{StateNone, StateEstablished, StateSynSent, StateSynReceived, StateFinWait,
	StateTimeWait, StateClose, StateCloseWait, StateLastAck, StateListen}

var tcpShort = map[State]string{StateNone: "no", StateEstablished: "es", StateSynSent: "ss", StateSynReceived: "sr",
	StateFinWait: "fw", StateTimeWait: "tw", StateClose: "cl", StateCloseWait: "cw", StateLastAck: "la", StateListen: "li"}

func TestNextTCP(t *testing.T) {
	const syn, fin, rst, ack = packet.SYN, packet.FIN, packet.RST, packet.ACK
	cases := []struct {
		name        string
		dir         Dir
		requestOnly bool
		flags       uint8
		want        string //  no es ss sr fw tw cl cw la li
	}{
		{"client syn", Request, false, syn, "sr es es sr sr sr sr sr sr sr"},
		{"client fin", Request, false, fin, "cl cw ss tw tw tw cl cw la li"},
		{"client ack", Request, false, ack, "es es ss es fw tw cl cw cl li"},
		{"client rst", Request, false, rst, "cl cl cl sr cl cl cl cl la li"},
		{"backend syn", Reply, false, syn, "ss es ss sr ss ss ss ss ss li"},
		{"backend fin", Reply, false, fin, "tw fw ss tw fw tw cl tw la li"},
		{"backend ack", Reply, false, ack, "es es ss es fw tw cl cw la es"},
		{"backend rst", Reply, false, rst, "cl cl ss cl cl tw cl cl cl cl"},
		{"one-way syn", Request, true, syn, "sr es es sr sr sr sr sr sr sr"},
		{"one-way fin", Request, true, fin, "cl fw ss tw fw tw cl cw la li"},
		{"one-way ack", Request, true, ack, "es es ss es fw tw cl cw cl li"},
		{"one-way rst", Request, true, rst, "cl cl cl sr cl cl cl cl la li"},
		{"no flag", Request, false, 0, "cl cl cl cl cl cl cl cl cl cl"},
		{"psh, urg, ece, cwr", Reply, false, 0xe8, "cl cl cl cl cl cl cl cl cl cl"},
		{"syn beats ack and fin", Request, false, syn | ack | fin, "sr es es sr sr sr sr sr sr sr"},
		{"rst beats all", Reply, false, syn | ack | fin | rst, "cl cl ss cl cl tw cl cl cl cl"},
		{"fin beats ack", Request, false, fin | ack | 8, "cl cw ss tw tw tw cl cw la li"},
		{"syn+ack", Reply, false, syn | ack, "ss es ss sr ss ss ss ss ss li"},
	}
	for _, c := range cases {
		got := ""
		for _, s := range tcpOrder {
			got += " " + tcpShort[NextTCP(s, c.dir, c.requestOnly, c.flags)]
		}
		require.Equal(t, c.want, got[1:], c.name)
	}
}

// Whole connections, as the facts tell them.
func TestTCPConnections(t *testing.T) {
	const syn, fin, rst, ack = packet.SYN, packet.FIN, packet.RST, packet.ACK
	type segment struct {
		dir   Dir
		flags uint8
		want  State
	}
	cases := []struct {
		name        string
		requestOnly bool
		segments    []segment
	}{
		{"nat, the client closes first", false, []segment{
			{Request, syn, StateSynReceived}, {Reply, syn | ack, StateSynReceived}, {Request, ack, StateEstablished},
			{Request, fin | ack, StateCloseWait}, {Reply, fin | ack, StateTimeWait}, {Request, ack, StateTimeWait}}},
		{"nat, the backend closes first", false, []segment{
			{Request, syn, StateSynReceived}, {Reply, syn | ack, StateSynReceived}, {Request, ack, StateEstablished},
			{Reply, fin | ack, StateFinWait}, {Request, ack, StateFinWait}, {Request, fin | ack, StateTimeWait}}},
		{"dr", true, []segment{
			{Request, syn, StateSynReceived}, {Request, ack, StateEstablished}, {Request, fin | ack, StateFinWait},
			{Request, ack, StateFinWait}}},
		{"refused by the backend", false, []segment{{Request, syn, StateSynReceived}, {Reply, rst | ack, StateClose}}},
		{"client resets before the handshake is through", false, []segment{
			{Request, syn, StateSynReceived}, {Request, rst, StateSynReceived}}},
		{"opened with SYN+FIN", false, []segment{{Request, syn | fin, StateSynReceived}}},
		{"opened with SYN+ACK", false, []segment{{Request, syn | ack, StateSynReceived}}},
	}
	for _, c := range cases {
		state := StateNone
		for i, s := range c.segments {
			state = NextTCP(state, s.dir, c.requestOnly, s.flags)
			require.Equal(t, s.want.String(), state.String(), "%s: segment %d", c.name, i)
		}
	}
}

func TestStates(t *testing.T) {
	seconds := map[string]int{"ESTABLISHED": 900, "SYN_RECV": 60, "FIN_WAIT": 120, "TIME_WAIT": 120, "CLOSE_WAIT": 60,
		"CLOSE": 10, "UDP": 300}
	timeouts := DefaultTimeouts()
	found := 0
	for s := range NumStates {
		require.NotEmpty(t, s.String())
		require.Positive(t, timeouts[s], s)
		if want, ok := seconds[s.String()]; ok {
			found++
			require.Equal(t, time.Duration(want)*time.Second, timeouts[s], s)
		}
	}
	require.Len(t, seconds, found)
	for _, s := range []State{StateSynReceived, StateEstablished} {
		require.True(t, s.Active(), s)
	}
	for _, s := range []State{StateUDP, StateFinWait, StateCloseWait, StateTimeWait, StateClose} {
		require.False(t, s.Active(), s)
	}
	require.Equal(t, "State(99)", State(99).String())
}
