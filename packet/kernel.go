package packet

// KernelClass ranks what goes to the kernel, so that a flood of one kind does
// not starve another. Lower is served first.
type KernelClass uint8

// The classes, each with a ring and a rate limit of its own.
const (
	ClassRouting   KernelClass = iota // BGP, OSPF, BFD, VRRP, LACP
	ClassNeighbour                    // ARP, NDP
	ClassOther                        // ping, SSH, all else

	NumKernelClasses
)

// String is the class's name in configuration and output.
func (c KernelClass) String() string {
	return [...]string{"routing", "neighbour", "other"}[c]
}

// KernelRings join one worker to the kernel path's pump.
type KernelRings struct {
	// To carries frames to the twins; Buf.Port says to which. Producer: the
	// worker, consumer: the pump.
	To [NumKernelClasses]*Ring

	// From carries frames that the kernel sent into the twin of port i, to be
	// transmitted on port i as they are. Producer: that twin's reader,
	// consumer: the worker.
	From []*Ring
}

// NewKernelRings makes the rings of one worker; size is in frames per ring.
func NewKernelRings(ports, size int) *KernelRings {
	k := &KernelRings{From: make([]*Ring, ports)}
	for c := range k.To {
		k.To[c] = NewRing(size)
	}
	for p := range k.From {
		k.From[p] = NewRing(size)
	}
	return k
}
