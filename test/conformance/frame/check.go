package frame

import (
	"encoding/binary"
	"fmt"
)

// Valid says what is wrong with the checksums of an IP frame, by summing all
// words in the plainest way: nil when the IPv4 header's and the TCP, UDP or ICMP
// checksum verify, those of a packet in a tunnel too. Fragments and other
// protocols have the IPv4 header's only.
func Valid(frame []byte) error { return validIP(frame[L3(frame):]) }

func validIP(ip []byte) error {
	if ip[0]>>4 == 4 {
		if s := Sum(ip[:int(ip[0]&0xf)*4], 0); s != 0xffff {
			return fmt.Errorf("IPv4 header sums up to %#04x", s)
		}
	}
	proto, at, end, fragment := behind(ip)
	if fragment {
		return nil
	}
	if proto == IPinIP || proto == IPv6 {
		return validIP(ip[at:end])
	}
	if s, ok := L4Sum(ip); ok && s != 0xffff {
		return fmt.Errorf("protocol %d sums up to %#04x", proto, s)
	}
	return nil
}

// L4 is where the first header of a frame's IP packet begins that is none of IP's.
func L4(frame []byte) int {
	l3 := L3(frame)
	_, at, _, _ := behind(frame[l3:])
	return l3 + at
}

// behind finds the first header of an IP packet that is none of IP's, and
// the packet's end.
func behind(ip []byte) (proto uint8, at, end int, fragment bool) {
	if ip[0]>>4 == 4 {
		return ip[9], int(ip[0]&0xf) * 4, int(binary.BigEndian.Uint16(ip[2:4])), binary.BigEndian.Uint16(ip[6:8])&0x3fff != 0
	}
	proto, at, end = ip[6], 40, 40+int(binary.BigEndian.Uint16(ip[4:6]))
	for proto == HopByHop || proto == Routing || proto == Fragment || proto == Destination {
		size := 8 + 8*int(ip[at+1])
		if proto == Fragment {
			size = 8
			if binary.BigEndian.Uint16(ip[at+2:])&^6 != 0 {
				return ip[at], at + 8, end, true
			}
		}
		proto, at = ip[at], at+size
	}
	return proto, at, end, false
}

// L4Sum is the one's complement sum over the TCP, UDP, ICMPv6 (with their pseudo
// header) or ICMP of an IP packet, checksum included: 0xffff when it is right, and
// 0xffff plus the error otherwise. ok is false when there is no checksum.
func L4Sum(ip []byte) (sum uint16, ok bool) {
	proto, at, end, _ := behind(ip)
	l4 := ip[at:end]
	if proto == UDP {
		if l4[6]|l4[7] == 0 {
			return 0, false
		}
		l4 = l4[:binary.BigEndian.Uint16(l4[4:6])]
	}
	switch proto {
	case TCP, UDP, ICMPv6:
		return Sum(l4, uint32(Sum(addresses(ip), uint32(proto)+uint32(len(l4))))), true
	case ICMP:
		return Sum(l4, 0), true
	}
	return 0, false
}

// addresses are both of an IP header.
func addresses(ip []byte) []byte {
	if ip[0]>>4 == 4 {
		return ip[12:20]
	}
	return ip[8:40]
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
