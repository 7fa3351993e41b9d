package flow

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
)

// keys are the secret numbers of a table's hash. Without them nobody can
// choose addresses and ports that meet in one bucket.
type keys [8]uint64

// newKeys derives keys from a seed; 0 takes a random one.
func newKeys(seed uint64) (k keys) {
	for seed == 0 {
		var b [8]byte
		rand.Read(b[:]) // never fails: it ends the process instead
		seed = binary.LittleEndian.Uint64(b[:])
	}
	for i := range k {
		seed += 0x9e3779b97f4a7c15 // 2^64 / golden ratio: distinct inputs to fold
		k[i] = fold(seed, 0xd6e8feb86659fd93) ^ seed
	}
	k[3] |= 1 // 0 would make every hash 0
	return k
}

// hash4 is two rounds of multiply and fold. The high bits choose the bucket,
// the low ones are the tag.
func (k *keys) hash4(t Tuple4) uint64 {
	x := fold(t.Addrs^k[0], (uint64(t.Ports)<<8|uint64(t.Proto))^k[1])
	return fold(x^k[2], k[3])
}

// addrs6 takes the source and the destination in a round each, ports6 the rest
// with both, and ends like hash4. They are two for the compiler to inline them.
func (k *keys) addrs6(a, b, c, d uint64) (src, dst uint64) {
	return fold(a^k[0], b^k[1]), fold(c^k[4], d^k[5])
}

func (k *keys) ports6(src, dst uint64, ports uint32, proto uint8) uint64 {
	x := fold(src^k[6], dst^(uint64(ports)<<8|uint64(proto))^k[7])
	return fold(x^k[2], k[3])
}

// fold multiplies to 128 bits and folds the halves.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
