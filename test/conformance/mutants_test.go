//go:build !race

package conformance

// defaultMutants is how many frames of each family TestMutatedFrames sends.
const defaultMutants = 1_000_000
