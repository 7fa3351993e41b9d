package packet

// Ahead is how many frames before it is looked at a frame begins to be loaded: what
// the misses of 64 overlap with is the work on others.
const Ahead = 16

// BurstSize is the most frames that one Rx returns and one Tx takes.
const BurstSize = 64

// Burst is a reusable array of frames. Workers allocate theirs once.
type Burst [BurstSize]*Buf

// Port is a device that receives and transmits bursts. package dpdk implements
// it; tests fake it. Queue q of a port is used by one worker only, and only
// from that worker's thread; everything else may be called from any thread.
type Port interface {
	// Rx fills burst from the front and returns how many frames it put there,
	// 0 when there are none. The caller owns them, and sets their Buf.Port. The
	// first Ahead frames are being loaded into the cache.
	Rx(queue uint16, burst *Burst) int

	// Tx transmits burst[:n] and returns how many were taken; the rest are
	// freed before it returns, so none of them belongs to the caller any more.
	Tx(queue uint16, burst *Burst, n int) int

	// Info describes the port; it does not change while the port is started.
	Info() PortInfo

	// Stats reads the device's own counters.
	Stats() (PortStats, error)

	// LinkUp is the carrier of the device.
	LinkUp() bool
}

// PortInfo is what a port says of itself.
type PortInfo struct {
	Name    string // as configured
	Device  string // DPDK device arguments, e.g. "net_af_packet0,iface=eth0"
	Driver  string // poll-mode driver, e.g. "net_af_packet"
	MAC     MAC
	MTU     uint16 // bytes of IP packet
	Queues  uint16 // receive queues, as many transmit queues
	Socket  int    // NUMA node, -1 when unknown
	RSSKey  []byte // as read back from the device; nil when it has none
	RSSSize uint16 // slots of the redirection table; 0 when it has none
}

// PortStats are the device's counters since it was started.
type PortStats struct {
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxMissed             uint64 // lost because the receive queue was full
	RxErrors, TxErrors   uint64
	RxNoBuf              uint64 // lost because the pool was empty
}

// Pool allocates and frees buffers. Safe for concurrent use, fastest on the
// thread that owns a cache of it.
type Pool interface {
	// Alloc returns an empty buffer with the default headroom, nil when the
	// pool is empty.
	Alloc() *Buf

	// Free gives back burst[:n].
	Free(burst *Burst, n int)

	// InUse is how many buffers are out of the pool; Size how many it has.
	// Buffers that sit in a device's receive ring count as in use.
	InUse() int
	Size() int
}

// MAC is an Ethernet address as on the wire.
type MAC [6]byte
