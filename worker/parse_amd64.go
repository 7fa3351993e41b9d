package worker

import (
	"github.com/sluice-lb/sluice/packet"
)

//lint:file-ignore U1000 parse_amd64.s uses the constants

// What parse_amd64.s has to know, in the form that the assembler gets to see.
const (
	ahead    = packet.Ahead
	frameAt  = packet.OffsetFrame
	bufAddr  = packet.OffsetAddr
	bufPort  = packet.OffsetPort
	bufOff   = packet.OffsetDataOff
	bufSegs  = packet.OffsetNbSegs
	bufLen   = packet.OffsetDataLen
	plainLen = packet.PlainLen
	udp      = packet.ProtoUDP
	tcp      = packet.ProtoTCP
)

// parsePlain parses the plain IPv4 packets of a burst from one port, those with unusual
// addresses too (packet.Unusual4; no flow has them: see complete), and hashes their
// tuples: packet.Parse and flow.Table.Hash (TestParsePlainAgrees), in half
// the instructions that the compiler makes of them, a quarter of all that known
// flows cost. It leaves slots alone, and returns a bit for each
// packet it took; their buckets are being loaded. It loads frames ahead, and notes the
// port in all of them.
func (w *Worker) parsePlain(n, port int) (taken uint64) {
	gate := port
	if port == handedOver {
		gate = int(w.in[0].Port)
	}
	return parsePlain4(&w.in, n, port, w.gates[gate].MAC, &w.numbers, &w.hashes)
}

// parseRest parses what parsePlain did not take.
func parseRest(frame []byte, gate *packet.Gate, p *packet.Parsed) packet.Verdict {
	return packet.ParseUnplain4(frame, gate, p)
}

// prefetchFrames begins to load frames in[from:to].
//
//go:noescape
func prefetchFrames(in *packet.Burst, from, to int)

//go:noescape
func parsePlain4(in *packet.Burst, n, port int, mac uint64, numbers *[9]uint64, hashes *[packet.BurstSize]uint64) (taken uint64)
