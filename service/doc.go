// Package service holds the snapshot: the immutable view of all configuration
// that workers read, and the ids by which flows refer to it.
//
// Runs on: the control plane builds, one goroutine at a time; workers read.
// A worker loads the snapshot once per burst and writes nothing here but its
// epoch. The only part that changes in place is the NextHops array, word by
// word, atomically.
package service
