package server

import (
	"context"

	"github.com/sluice-lb/sluice/ctl/api"
)

// InForce is what went wrong after a change was applied, which it still is.
type InForce struct{ Err error }

func (e InForce) Error() string { return "the change is in force, but " + e.Err.Error() }

func (e InForce) Unwrap() error { return e.Err }

// Engine is what the control socket shows and changes. All methods are called
// from many goroutines at once, and what they return is not written to.
// Errors that are (or wrap) *api.Error or api.Errors reach the client with
// their kind; any other counts as internal.
type Engine interface {
	Status() api.Status
	Ports() []api.Port
	Workers() []api.Worker
	Verdicts() []api.Verdict
	Counters() []api.ServiceCounters

	// LocalPorts asks workers for what only they know.
	LocalPorts(ctx context.Context) (api.LocalPorts, error)

	// Services returns all services, canonical, at one revision.
	Services() api.ServiceList

	// Change applies a change as a whole or not at all, see api.Change.Apply,
	// and returns the revision at which it is in force. An InForce error is of one
	// that is applied.
	Change(ctx context.Context, c api.Change) (revision uint64, err error)

	// Reload reads the configuration file again and makes the services those in
	// it, as one change or not at all.
	Reload(ctx context.Context) (api.Reload, error)

	// Flows calls emit for every flow that filter lets pass; Limit is the
	// server's to keep. emit keeps nothing of a row. It blocks while the client reads slowly, so nothing
	// must be held meanwhile that others wait for. When emit or ctx reports an
	// error, Flows returns it without calling emit again.
	Flows(ctx context.Context, filter api.FlowFilter, emit func(*api.FlowRow) error) error
}
