//go:build race

package conformance

// defaultMutants is a tenth under the race detector, which takes ten times as long.
const defaultMutants = 100_000
