// Package fake has ports and pools for tests: they keep what is transmitted
// and know every buffer that is out.
//
// Runs on: tests; a Port belongs to one goroutine at a time, a Pool to any.
package fake

import (
	"errors"

	"github.com/sluice-lb/sluice/packet"
)

// Port is a packet.Port with one queue of frames to receive. It frees what it
// transmits, as a device does, into the pool.
type Port struct {
	PortInfo packet.PortInfo
	Pool     *Pool
	Takes    int            // frames that a Tx accepts at most; negative: any number
	Sent     func(b []byte) // sees each transmitted frame; may be nil
	queue    []*packet.Buf  // to be received
	counts   packet.PortStats
}

// NewPort makes a port of that address that takes everything.
func NewPort(pool *Pool, mac packet.MAC) *Port {
	return &Port{PortInfo: packet.PortInfo{Name: "fake", MAC: mac, MTU: 1500, Queues: 1, Socket: -1}, Pool: pool, Takes: -1}
}

// Receive queues a copy of frame for Rx.
func (p *Port) Receive(frame []byte) { p.Queue(p.Pool.Copy(frame)) }

// Queue queues a buffer for Rx.
func (p *Port) Queue(b *packet.Buf) { p.queue = append(p.queue, b) }

// Waiting is how many frames are to be received.
func (p *Port) Waiting() int { return len(p.queue) }

// Rx implements packet.Port.
func (p *Port) Rx(_ uint16, burst *packet.Burst) int {
	n := copy(burst[:], p.queue)
	p.queue = p.queue[:copy(p.queue, p.queue[n:])]
	for _, b := range burst[:n] {
		b.Port = 7 // whatever a device says is not the worker's numbering
		p.counts.RxPackets++
		p.counts.RxBytes += uint64(b.Len())
	}
	return n
}

// Tx implements packet.Port.
func (p *Port) Tx(_ uint16, burst *packet.Burst, n int) int {
	taken := n
	if p.Takes >= 0 {
		taken = min(n, p.Takes)
	}
	for _, b := range burst[:taken] {
		if p.Sent != nil {
			p.Sent(b.Bytes())
		}
		p.counts.TxPackets++
		p.counts.TxBytes += uint64(b.Len())
	}
	p.Pool.Free(burst, n)
	return taken
}

// Info implements packet.Port.
func (p *Port) Info() packet.PortInfo { return p.PortInfo }

// Stats implements packet.Port.
func (p *Port) Stats() (packet.PortStats, error) {
	if p.Pool == nil {
		return packet.PortStats{}, errors.New("read counters: port without pool")
	}
	return p.counts, nil
}

// LinkUp implements packet.Port.
func (p *Port) LinkUp() bool { return true }
