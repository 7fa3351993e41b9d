package dpdk

// #include "shim.h"
import "C"

import (
	"unsafe"

	"github.com/sluice-lb/sluice/packet"
)

// packet.Buf is read and written by Go as the struct rte_mbuf that it is in C.
// Each line indexes an array of one with the difference of the two: any other
// value than 0 does not compile.
var (
	same = [1]struct{}{}

	_ = same[unsafe.Sizeof(packet.Buf{})-C.SLUICE_MBUF_SIZE]
	_ = same[packet.OffsetAddr-C.SLUICE_MBUF_ADDR]
	_ = same[packet.OffsetDataOff-C.SLUICE_MBUF_DATA_OFF]
	_ = same[packet.OffsetRefCnt-C.SLUICE_MBUF_REFCNT]
	_ = same[packet.OffsetNbSegs-C.SLUICE_MBUF_NB_SEGS]
	_ = same[packet.OffsetPort-C.SLUICE_MBUF_PORT]
	_ = same[packet.OffsetOlFlags-C.SLUICE_MBUF_OL_FLAGS]
	_ = same[packet.OffsetPktLen-C.SLUICE_MBUF_PKT_LEN]
	_ = same[packet.OffsetDataLen-C.SLUICE_MBUF_DATA_LEN]
	_ = same[packet.OffsetVlanTCI-C.SLUICE_MBUF_VLAN_TCI]
	_ = same[packet.OffsetRSSHash-C.SLUICE_MBUF_RSS_HASH]
	_ = same[packet.OffsetBufLen-C.SLUICE_MBUF_BUF_LEN]
	_ = same[packet.OffsetPool-C.SLUICE_MBUF_POOL]
	_ = same[packet.FlagRSSHash-C.SLUICE_MBUF_RX_RSS_HASH]
	_ = same[packet.OffsetFrame-C.SLUICE_FRAME]
	_ = same[packet.Ahead-C.SLUICE_AHEAD]
	_ = same[packet.BurstSize-C.SLUICE_BURST]
)

// Limits of this DPDK build.
const (
	maxLcores = C.SLUICE_MAX_LCORE // logical cores, the main one included
	maxCache  = C.SLUICE_MAX_CACHE // buffers in a pool's cache per lcore
	headroom  = C.SLUICE_HEADROOM  // bytes before the frame
	rssKeyLen = C.SLUICE_RSS_KEY   // bytes
	rssSlots  = C.SLUICE_RSS_SLOTS // of our owner table
	xdpFill   = C.SLUICE_XDP_FILL  // buffers in a net_af_xdp queue's fill ring
)
