package dpdk

import (
	"fmt"
	"math"
	"strconv"
)

// net_af_packet shares rings of fixed frames with the kernel (packet(7),
// PACKET_RX_RING). Its default frame of 2048 bytes is too small for jumbo
// frames, which the kernel would cut off; and the driver demands buffers for
// whatever a ring frame can hold.
const (
	defaultRingFrame = 2048
	ringFrames       = 512
	pageSize         = 4096

	// ringHeader is what stands before the IP packet in a ring frame: the
	// kernel's headers (TPACKET2_HDRLEN, aligned: 66 bytes to the Ethernet
	// header), Ethernet and two 802.1Q tags.
	ringHeader = 66 + 14 + 8

	// ringAlign keeps a block small: a block is whole pages and whole frames.
	ringAlign = 64

	// ringSlack is how much more than MTU and linkOverhead a buffer must hold
	// for such a ring: the driver counts all of a frame but 32 bytes.
	ringSlack = ringHeader + ringAlign - 32 - linkOverhead
)

// ringFrame is the size of a ring frame for an MTU.
func ringFrame(mtu uint16) int {
	return max(defaultRingFrame, (int(mtu)+ringHeader+ringAlign-1)/ringAlign*ringAlign)
}

// frameArgs are the device arguments that let a ring take frames of that MTU;
// none for the default, other drivers, and where they are configured.
func (d device) frameArgs(mtu uint16) []argument {
	if d.driver != afPacket || ringFrame(mtu) == defaultRingFrame || d.value("framesz") != "" {
		return nil
	}
	return ringArgs(mtu)
}

func ringArgs(mtu uint16) []argument {
	frame := ringFrame(mtu)
	block := frame
	for block%pageSize != 0 {
		block += frame
	}
	return []argument{
		{"framesz", strconv.Itoa(frame)}, {"blocksz", strconv.Itoa(block)}, {"framecnt", strconv.Itoa(ringFrames)},
	}
}

// checkFrames refuses a configured ring frame that is too small for the MTU.
func (d device) checkFrames(mtu uint16) error {
	for _, m := range d.all() {
		frame, err := strconv.Atoi(m.value("framesz"))
		if m.driver != afPacket || m.value("framesz") == "" || err == nil && frame >= int(mtu)+ringHeader {
			continue
		}
		args := ringArgs(mtu)
		return failure("MTU of device "+m.text, mtu, because("its framesz=%s holds less", m.value("framesz")),
			fmt.Sprintf("remove framesz, blocksz and framecnt, or use framesz=%s,blocksz=%s,framecnt=%s",
				args[0].value, args[1].value, args[2].value))
	}
	return nil
}

// ringHolds is the largest MTU of frames in the rings that were made for mtu.
func (p *Port) ringHolds(mtu uint16) uint16 {
	most := uint16(math.MaxUint16)
	for _, d := range p.device.all() {
		if d.driver != afPacket {
			continue
		}
		frame := ringFrame(mtu)
		if n, err := strconv.Atoi(d.value("framesz")); err == nil {
			frame = n
		}
		most = min(most, uint16(min(frame-ringHeader, math.MaxUint16)))
	}
	return most
}
