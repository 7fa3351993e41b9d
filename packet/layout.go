package packet

import "unsafe"

// Where Buf's fields lie, in bytes from its start. Package dpdk compares them
// with the C compiler's view of struct rte_mbuf when it is compiled: a DPDK
// with another layout does not build.
const (
	OffsetAddr    = unsafe.Offsetof(Buf{}.addr)
	OffsetDataOff = unsafe.Offsetof(Buf{}.dataOff)
	OffsetRefCnt  = unsafe.Offsetof(Buf{}.refCnt)
	OffsetNbSegs  = unsafe.Offsetof(Buf{}.nbSegs)
	OffsetPort    = unsafe.Offsetof(Buf{}.Port)
	OffsetOlFlags = unsafe.Offsetof(Buf{}.olFlags)
	OffsetPktLen  = unsafe.Offsetof(Buf{}.pktLen)
	OffsetDataLen = unsafe.Offsetof(Buf{}.dataLen)
	OffsetVlanTCI = unsafe.Offsetof(Buf{}.vlanTCI)
	OffsetRSSHash = unsafe.Offsetof(Buf{}.RSSHash)
	OffsetBufLen  = unsafe.Offsetof(Buf{}.bufLen)
	OffsetPool    = unsafe.Offsetof(Buf{}.pool)

	FlagRSSHash = olRSSHash // bit of olFlags

	// OffsetFrame is where frames begin that a port receives into buffers of a pool:
	// good enough to load them before anything has been read of the Buf.
	OffsetFrame = unsafe.Sizeof(Buf{}) + 128
)
