package flow

import "github.com/sluice-lb/sluice/packet"

// NextTCP is the state of a TCP flow after a segment with these flags (byte 13
// of the TCP header) in direction dir. requestOnly: replies bypass the gateway
// (dr, tun), so that the client's FIN must stand for both. A new flow is in
// StateNone.
//
// One flag counts, in the order RST, SYN, FIN, ACK; a segment with none of
// them closes. This is IPVS's machine, not RFC 9293's: it sees segments pass
// and does not know whether they arrive.
func NextTCP(state State, dir Dir, requestOnly bool, flags uint8) State {
	switch {
	case flags&packet.RST != 0:
		return onRST(state, dir)
	case flags&packet.SYN != 0:
		return onSYN(state, dir)
	case flags&packet.FIN != 0:
		return onFIN(state, dir, requestOnly)
	case flags&packet.ACK != 0:
		return onACK(state, dir)
	}
	return StateClose
}

// onRST: the backend's closes. The client's is not believed before the
// handshake is through: a forged one would be enough to end it.
func onRST(state State, dir Dir) State {
	keeps := state == StateSynReceived || state == StateLastAck || state == StateListen
	if dir == Reply {
		keeps = state == StateSynSent || state == StateTimeWait
	}
	if keeps {
		return state
	}
	return StateClose
}

// onSYN: a connection opens, from whatever remained of the one before.
func onSYN(state State, dir Dir) State {
	switch {
	case state == StateEstablished:
		return StateEstablished
	case dir == Request && state == StateSynSent:
		return StateEstablished // simultaneous open
	case dir == Request:
		return StateSynReceived
	case state == StateSynReceived || state == StateListen:
		return state // SYN+ACK of the backend
	}
	return StateSynSent
}

// onFIN: the first FIN tells who closes, the second leads to TIME_WAIT.
func onFIN(state State, dir Dir, requestOnly bool) State {
	switch state {
	case StateSynSent, StateLastAck, StateListen, StateTimeWait, StateClose:
		return state
	case StateSynReceived:
		return StateTimeWait
	}
	if dir == Reply {
		return onReplyFIN(state)
	}
	switch {
	case state == StateNone:
		return StateClose
	case state == StateCloseWait:
		return StateCloseWait
	case requestOnly:
		return StateFinWait
	case state == StateEstablished:
		return StateCloseWait
	}
	return StateTimeWait // in FIN_WAIT: the backend's came before
}

func onReplyFIN(state State) State {
	if state == StateEstablished || state == StateFinWait {
		return StateFinWait
	}
	return StateTimeWait // in CLOSE_WAIT: the client's came before
}

// onACK: data, or the end of a handshake. It opens what was opening and ends
// what waited for the last one.
func onACK(state State, dir Dir) State {
	switch state {
	case StateNone, StateSynReceived:
		return StateEstablished
	case StateLastAck:
		if dir == Request {
			return StateClose
		}
	case StateListen:
		if dir == Reply {
			return StateEstablished
		}
	}
	return state
}
