//go:build !amd64

package worker

import "github.com/sluice-lb/sluice/packet"

// parseRest parses any frame.
func parseRest(frame []byte, gate *packet.Gate, p *packet.Parsed) packet.Verdict {
	return packet.Parse(frame, gate, p)
}

// parsePlain takes nothing: packet.Parse does it all.
func (w *Worker) parsePlain(int, int) (taken uint64) { return 0 }

// prefetchFrames does nothing: Go has no prefetch, and to read would be to wait.
func prefetchFrames(*packet.Burst, int, int) {}
