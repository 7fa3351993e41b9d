package packet

import (
	"encoding/binary"
	"math/bits"
)

// Checksums are summed over 16-bit words as a little-endian machine loads them:
// the one's complement sum comes out the same, byte-swapped (RFC 1071 section
// 2), and so does everything derived from it. A Delta is such a sum of
// differences; adding it to a checksum field keeps right ones right and wrong
// ones wrong by the same amount (RFC 1624 eqn. 3).

// Fold adds up the carries of a one's complement sum: 16 bits remain. A number
// added to itself with its halves swapped has their sum in the upper half,
// and the lower half's carry comes around to it.
func Fold(sum uint64) uint16 {
	sum += bits.RotateLeft64(sum, 32)
	half := uint32(sum >> 32)
	half += bits.RotateLeft32(half, 16)
	return uint16(half >> 16)
}

// allOnes16 says whether a one's complement sum other than 0 folds to 0xffff,
// that is whether 65535 divides it. Dividing exactly by an odd number is
// multiplying by its inverse modulo 2^64: the quotients of multiples are the
// numbers up to (2^64-1)/65535, those of all other numbers are greater.
func allOnes16(sum uint64) bool { return sum*Inverse65535 <= Most65535 }

// Inverse65535 is 1/65535 modulo 2^64, Most65535 (2^64-1)/65535.
const (
	Inverse65535 = 0xfffe_fffe_fffe_ffff
	Most65535    = 0x0001_0001_0001_0001
)

// Sum is the folded one's complement sum of b, an odd last byte padded with 0.
func Sum(b []byte) uint16 {
	var sum, carry uint64
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	var last uint64
	for i, c := range b {
		last |= uint64(c) << (8 * i)
	}
	sum, carry = bits.Add64(sum, last, carry)
	return Fold(sum>>32 + sum&0xffffffff + carry)
}

// Checksum is the value for a checksum field, little-endian, when sum covers
// the data with that field 0.
func Checksum(sum uint16) uint16 { return ^sum }

// Delta is what replacing the 32-bit words old by new adds to a sum.
func Delta(old, new uint64) uint16 {
	sum, carry := bits.Add64(^old, new, 0)
	return Fold(sum + carry)
}

// AddDelta is the checksum field c after delta.
func AddDelta(c, delta uint16) uint16 {
	sum := uint32(^c) + uint32(delta)
	return ^uint16(sum + sum>>16)
}

// AddDeltaUDP is AddDelta for UDP over IPv4: 0 means no checksum and stays 0,
// and a computed 0 becomes 0xffff (RFC 768).
func AddDeltaUDP(c, delta uint16) uint16 {
	if c == 0 {
		return 0
	}
	if c = AddDelta(c, delta); c == 0 {
		return 0xffff
	}
	return c
}

// TTLDelta is what decrementing the TTL adds to the IPv4 header's sum: the TTL
// is the low byte of its little-endian word.
const TTLDelta = 0xfffe
