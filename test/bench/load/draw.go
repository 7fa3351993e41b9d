package load

import "math/rand/v2"

// Draw names the flow of the next frame.
type Draw func() int

// Uniform draws among n flows, all alike.
func Uniform(n int) Draw {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	return func() int { return int(r.Uint32N(uint32(n))) }
}

// zipfExponent is common for web traffic.
const zipfExponent = 1.1

// Zipf draws the k-th most frequent of n flows with a probability that falls
// with k to the power of 1.1. Where a flow lies in memory says nothing of its
// rank.
func Zipf(n int) Draw {
	r := rand.New(rand.NewPCG(2, uint64(n)))
	z := rand.NewZipf(r, zipfExponent, 1, uint64(n-1))
	const prime = 2654435761 // shares no factor with n up to its own size
	return func() int { return int(z.Uint64() * prime % uint64(n)) }
}

// InOrder draws 0, 1, 2, ... and begins again after n.
func InOrder(n int) Draw {
	next := -1
	return func() int {
		if next++; next == n {
			next = 0
		}
		return next
	}
}
