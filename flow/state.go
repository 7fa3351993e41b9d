package flow

import (
	"fmt"
	"time"
)

// State is where a flow is in its life. It decides how long it may be silent.
type State uint8

// The states of IPVS. LISTEN is never reached; it is there for completeness.
const (
	StateNone State = iota // no flow, or one that is being created
	StateUDP
	StateSynSent
	StateSynReceived
	StateEstablished
	StateFinWait
	StateTimeWait
	StateCloseWait
	StateLastAck
	StateClose
	StateListen
	NumStates
)

var stateNames = [NumStates]string{
	StateNone:        "NONE",
	StateUDP:         "UDP",
	StateSynSent:     "SYN_SENT",
	StateSynReceived: "SYN_RECV",
	StateEstablished: "ESTABLISHED",
	StateFinWait:     "FIN_WAIT",
	StateTimeWait:    "TIME_WAIT",
	StateCloseWait:   "CLOSE_WAIT",
	StateLastAck:     "LAST_ACK",
	StateClose:       "CLOSE",
	StateListen:      "LISTEN",
}

// String is the state's name as ipvsadm prints it.
func (s State) String() string {
	if s >= NumStates {
		return fmt.Sprintf("State(%d)", uint8(s))
	}
	return stateNames[s]
}

// Active says whether the flow counts as an active connection of its backend,
// as IPVS counts: opening or open. UDP never does.
func (s State) Active() bool {
	return s == StateEstablished || s == StateSynReceived || s == StateSynSent
}

// Timeouts says after how much silence a flow in each state ends.
type Timeouts [NumStates]time.Duration

// DefaultTimeouts are those of IPVS.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		StateNone:        2 * time.Second,
		StateUDP:         300 * time.Second,
		StateSynSent:     120 * time.Second,
		StateSynReceived: 60 * time.Second,
		StateEstablished: 900 * time.Second,
		StateFinWait:     120 * time.Second,
		StateTimeWait:    120 * time.Second,
		StateCloseWait:   60 * time.Second,
		StateLastAck:     30 * time.Second,
		StateClose:       10 * time.Second,
		StateListen:      120 * time.Second,
	}
}

// maxTimeout keeps differences of ticks within 31 bits with room to spare.
const maxTimeout = 365 * 24 * time.Hour

// ticks converts time-outs, zeros being the defaults. An entry that was last
// seen in a tick may have been seen at its end: one tick more, so that none
// ends early.
func (t Timeouts) ticks() (life [NumStates]uint32, err error) {
	defaults := DefaultTimeouts()
	for s, timeout := range t {
		if timeout == 0 {
			timeout = defaults[s]
		}
		if timeout < 0 || timeout > maxTimeout {
			return life, fmt.Errorf("flow time-out of %v: %v: not between 0 and %v: choose one that is", State(s), timeout, maxTimeout)
		}
		life[s] = uint32((timeout+Tick-1)/Tick) + 1
	}
	return life, nil
}
