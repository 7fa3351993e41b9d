package worker

import (
	"encoding/binary"

	"github.com/sluice-lb/sluice/flow"
)

// toeplitzBytes holds, for each byte position of the input and each value of
// that byte, its share of the hash: Toeplitz is linear over XOR. 36 bytes are
// an IPv6 four-tuple; an IPv4 one is 12.
var toeplitzBytes = toeplitzTable(RSSKey[:])

func toeplitzTable(key []byte) (table [36][256]uint32) {
	for i := range table {
		for v := range 256 {
			for bit := range 8 {
				if v&(0x80>>bit) != 0 {
					table[i][v] ^= keyWindow(key, 8*i+bit)
				}
			}
		}
	}
	return table
}

// keyWindow is the 32 bits of key from bit position at.
func keyWindow(key []byte, at int) uint32 {
	var b [8]byte
	copy(b[:], key[at/8:])
	return uint32(binary.BigEndian.Uint64(b[:]) >> (32 - at%8))
}

// toeplitz is the RSS hash of a tuple: source address, destination address,
// source port, destination port, as the device hashes them ("Receive Side
// Scaling", Microsoft).
func toeplitz(t flow.Tuple4) (hash uint32) {
	for i := range 8 {
		hash ^= toeplitzBytes[i][byte(t.Addrs>>(8*i))]
	}
	for i := range 4 {
		hash ^= toeplitzBytes[8+i][byte(t.Ports>>(8*i))]
	}
	return hash
}

// toeplitz6 is toeplitz for IPv6.
func toeplitz6(t *flow.Tuple6) (hash uint32) {
	for i := range 32 {
		hash ^= toeplitzBytes[i][byte(t.Addrs[i/8]>>(8*(i%8)))]
	}
	for i := range 4 {
		hash ^= toeplitzBytes[32+i][byte(t.Ports>>(8*i))]
	}
	return hash
}

// Where the destination port stands in the hash's input, in bytes.
const (
	portBytes4 = 10
	portBytes6 = 34
)

// portHash is what a raw destination port adds to the hash: that of the rest,
// with port 0, XOR this is the hash of all.
func portHash(at int, raw uint32) uint32 {
	return toeplitzBytes[at][byte(raw)] ^ toeplitzBytes[at+1][byte(raw>>8)]
}
