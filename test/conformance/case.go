// Package conformance is the one table of what the fast path does to which
// frame: cases of configuration, frames in and frames out, from RFCs and from
// what Linux IPVS was observed to do. Frames are built by package frame with
// gopacket, never taken from Sluice's own output.
//
// Runs on: tests. The driver beside it feeds the cases to a worker with fake
// ports; fuzz targets take them as seeds.
package conformance

import (
	"net/netip"

	"github.com/sluice-lb/sluice/flow"
	"github.com/sluice-lb/sluice/packet"
	"github.com/sluice-lb/sluice/test/conformance/frame"
	"github.com/sluice-lb/sluice/test/conformance/world"
	"github.com/sluice-lb/sluice/worker"
)

// Case is a configuration and a sequence of steps.
type Case struct {
	Name     string
	Services []world.Service
	Steps    []Step
	Verdicts Verdicts               // of all steps; those not named stay 0
	Loads    map[string]worker.Load // by address of a backend; nil: not looked at
}

// Verdicts counts packets by how they ended.
type Verdicts map[packet.Verdict]uint64

// Step is frames that arrive at once, and what becomes of them before the next.
type Step struct {
	Configure *[]world.Service     // replaces the services first; nil: leaves them
	Rewire    func(*world.Network) // changes the network first; nil: leaves it
	In        []Frame              // received
	Sent      []Frame              // from the kernel, for the port of its twin
	Out       []Frame              // transmitted, in order on each port
	Kernel    []Frame              // to the kernel, in order in each class
	States    []flow.State         // of all flows, in the order they were made; nil: not looked at
}

// Frame is a frame on a port: one of Packet, an error about it, or raw bytes.
type Frame struct {
	Port   int
	Packet frame.Packet
	Error  *frame.ICMPError   // the gateway's answer to Packet
	From   string             // of the answer; "": the packet's destination
	Report *frame.Report      // somebody's error about a packet, instead of Packet
	Raw    []byte             // any frame, instead of Packet
	Class  packet.KernelClass // of a frame to the kernel
	AnyID  bool               // sent with any IPv4 identification
}

// Local1 to Local9 stand for the local ports that the worker chooses: the port
// that the first packet out had where the case has this one.
const (
	Local1 = 1 + iota
	Local2
	Local3
	Local9 = 9
)

// Locals are the local ports that stand behind Local1 to Local9; 0: not known yet.
type Locals [Local9 + 1]uint16

// Bytes is the frame, with local ports in their places.
func (f Frame) Bytes(l *Locals) []byte {
	switch {
	case f.Raw != nil:
		return f.Raw
	case f.Report != nil:
		r := *f.Report
		r.Quote = l.put(r.Quote)
		return r.Bytes()
	}
	p := l.put(f.Packet)
	switch {
	case f.Error == nil:
		return p.Bytes()
	case f.From != "":
		return f.Error.AnswerFrom(netip.MustParseAddr(f.From).AsSlice(), p.Bytes())
	}
	return f.Error.Answer(p.Bytes())
}

func (l *Locals) put(p frame.Packet) frame.Packet {
	p.SrcPort, p.DstPort = l.port(p.SrcPort), l.port(p.DstPort)
	return p
}

func (l *Locals) port(p uint16) uint16 {
	if p >= Local1 && p <= Local9 {
		return l[p]
	}
	return p
}

// Cases is the table.
func Cases() []Case {
	var all []Case
	for _, part := range [][]Case{
		drCases(), fullnatCases(), stateCases(), errorCases(), backendCases(), gateCases(), kernelCases(),
		modeCases(), natCases(), tunCases(), vlanCases(), sizeCases(), reportCases(), headerCases(), family6Cases(),
	} {
		all = append(all, part...)
	}
	return all
}
