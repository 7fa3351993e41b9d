package frame

import (
	"encoding/binary"
	"fmt"
)

// Valid says what is wrong with the checksums of an IPv4 frame, by summing all
// words in the plainest way: nil when the IP header's and the TCP, UDP or ICMP
// checksum verify. Fragments and other protocols have the IP header's only.
func Valid(frame []byte) error {
	ip := frame[14:]
	hl, total := int(ip[0]&0xf)*4, int(binary.BigEndian.Uint16(ip[2:4]))
	if s := Sum(ip[:hl], 0); s != 0xffff {
		return fmt.Errorf("IPv4 header sums up to %#04x", s)
	}
	if binary.BigEndian.Uint16(ip[6:8])&0x3fff != 0 {
		return nil
	}
	if s, ok := L4Sum(ip[:total]); ok && s != 0xffff {
		return fmt.Errorf("protocol %d sums up to %#04x", ip[9], s)
	}
	return nil
}

// L4Sum is the one's complement sum over the TCP, UDP (with their pseudo header)
// or ICMP of an IPv4 packet, checksum included: 0xffff when it is right, and
// 0xffff plus the error otherwise. ok is false when there is no checksum.
func L4Sum(ip []byte) (sum uint16, ok bool) {
	hl := int(ip[0]&0xf) * 4
	l4 := ip[hl:]
	if ip[9] == UDP {
		if l4[6]|l4[7] == 0 {
			return 0, false
		}
		l4 = l4[:binary.BigEndian.Uint16(l4[4:6])]
	}
	switch ip[9] {
	case TCP, UDP:
		return Sum(l4, uint32(Sum(ip[12:20], uint32(ip[9])+uint32(len(l4))))), true
	case ICMP:
		return Sum(l4, 0), true
	}
	return 0, false
}

// Sum is the one's complement sum of b, big-endian, word by word.
func Sum(b []byte, start uint32) uint16 {
	sum := start
	for i := range b {
		word := uint32(b[i])
		if i%2 == 0 {
			word <<= 8
		}
		sum += word
		sum = sum&0xffff + sum>>16
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}
