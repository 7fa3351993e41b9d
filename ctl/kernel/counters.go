package kernel

import "sync/atomic"

// lossReason names why a frame did not reach the other side of a twin.
type lossReason int

const (
	lossDown     lossReason = iota // to the kernel: twin is down
	lossWrite                      // to the kernel: refused, for example shorter than an Ethernet header
	lossTooLong                    // from the kernel: longer than a packet buffer
	lossNoBuffer                   // from the kernel: pool is empty
	lossRing                       // from the kernel: worker's ring is full
	lossStopped                    // either way: in a ring when the pump stopped

	numLosses
)

var lossNames = [numLosses]string{"twin-down", "write", "too-long", "pool-empty", "ring-full", "stopped"}

// counters of one twin. Pump and reader: write, anybody: reads.
type counters struct {
	toKernel, fromKernel atomic.Uint64
	lost                 [numLosses]atomic.Uint64
}

// TwinCounters is what has passed a twin since it was opened, in frames.
type TwinCounters struct {
	Port       int    // index of the port
	VLAN       uint16 // 0: untagged
	Name       string // of the interface
	ToKernel   uint64 // written to the twin
	FromKernel uint64 // read from the twin and given to a worker

	// Lost counts by reason: twin-down, write, too-long, pool-empty, ring-full,
	// stopped. A reason that is new to a reader is no mistake.
	Lost map[string]uint64
}

func (t *twin) counters() TwinCounters {
	c := TwinCounters{Port: int(t.port), VLAN: t.vlan, Name: t.name, Lost: map[string]uint64{},
		ToKernel: t.count.toKernel.Load(), FromKernel: t.count.fromKernel.Load()}
	for i, name := range lossNames {
		c.Lost[name] = t.count.lost[i].Load()
	}
	return c
}

// relayed names what became of an error that the relay has read.
type relayed int

const (
	relayPassed  relayed = iota // the client was told
	relayNotOurs                // not about a packet in a tunnel of ours
	relayNothing                // the client cannot send less or did already, or too little is quoted to tell
	relayLimit                  // beyond Config.Errors in this second
	relayFailed                 // the kernel did not send it, for example for want of a route

	numRelayed
)

var relayedNames = [numRelayed]string{"passed", "not-ours", "nothing-to-tell", "limit", "send-failed"}

// Counters is what the kernel path counts.
type Counters struct {
	Twins  []TwinCounters
	NoTwin uint64 // frames from workers for a port or a VLAN that has no twin

	ResolveDropped uint64 // requests of Resolve beyond what is asked of the kernel

	// TunnelErrors counts what routers said about packets of ours ("destination unreachable"
	// of IPv4, "packet too big" of IPv6), by what became of it: passed, not-ours,
	// nothing-to-tell, limit, send-failed. Each message counts once.
	TunnelErrors map[string]uint64
}
