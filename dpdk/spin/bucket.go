package spin

import "math/bits"

// Bucket is the class of a gap in ns: within 1/16 of its size.
func Bucket(ns uint64) int {
	if ns < 16 {
		return int(ns)
	}
	shift := bits.Len64(ns) - 5
	return (shift+1)*16 + int(ns>>shift&15)
}

// Bound is the least gap in ns that is beyond a class.
func Bound(bucket int) uint64 {
	if bucket < 16 {
		return uint64(bucket) + 1
	}
	shift := bucket/16 - 1
	return (16 + uint64(bucket%16) + 1) << shift
}
