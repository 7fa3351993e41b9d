//go:build !amd64

package worker

import "github.com/sluice-lb/sluice/packet"

// parsePlain takes nothing: packet.Parse does it all.
func (w *Worker) parsePlain(int, *packet.Gate) (taken uint64) { return 0 }
