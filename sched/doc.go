// Package sched holds the schedulers: what chooses the backend of a new flow.
// One file each, and a registry in sched.go.
//
// A scheduler is in two halves. The plan is built by the control plane whenever
// a service's backends change, and immutable from then on. The cursor is where
// a worker stands in the plan: one per worker and service, it survives changes.
// Linux keeps the two together and updates the position at every change, even
// when no flow comes between two of them; so that a worker which was idle
// meanwhile gives the same answer, a plan remembers the recent changes that led
// to it, and Pick makes up for them first.
//
// Runs on: Build and Rebuild in the control plane, Pick on workers, on flow
// creation only. Touches: nothing but the cursor. Imports package service only.
package sched
