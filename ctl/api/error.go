package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
)

// Kind says what sort of error it is, for programs.
type Kind string

// The kinds, and the HTTP status each travels as.
const (
	Malformed Kind = "malformed" // 400: not JSON, or not of this shape
	Invalid   Kind = "invalid"   // 422: understood, but not allowed
	NotFound  Kind = "not-found" // 404
	Conflict  Kind = "conflict"  // 409: contradicts what is there
	Stale     Kind = "stale"     // 412: the revision is not the one given
	TooLarge  Kind = "too-large" // 413
	Internal  Kind = "internal"  // 500: a bug of ours
	Busy      Kind = "busy"      // 503: try again
	Exhausted Kind = "exhausted" // 507: a table or pool is full
)

var kindStatus = map[Kind]int{
	Malformed: http.StatusBadRequest,
	Invalid:   http.StatusUnprocessableEntity,
	NotFound:  http.StatusNotFound,
	Conflict:  http.StatusConflict,
	Stale:     http.StatusPreconditionFailed,
	TooLarge:  http.StatusRequestEntityTooLarge,
	Internal:  http.StatusInternalServerError,
	Busy:      http.StatusServiceUnavailable,
	Exhausted: http.StatusInsufficientStorage,
}

// Error is one thing that is wrong, on both sides of the control socket.
type Error struct {
	Kind   Kind
	Field  string // where, as a path: services[3].backends[0].weight; may be empty
	Value  string // what stood there; may be empty
	Why    string
	Remedy string // what to do; may be empty
}

// Error reads `field: value: why: what to do`, without the empty parts.
func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	for _, s := range []string{e.Field, e.Value, e.Why, e.Remedy} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// within returns e with its field prefixed by that of what it lies in.
func (e *Error) within(prefix string) *Error {
	out := *e
	out.Field = joinField(prefix, e.Field)
	return &out
}

func joinField(prefix, field string) string {
	if prefix == "" || field == "" {
		return prefix + field
	}
	return prefix + "." + field
}

// Errors is everything that is wrong with a request. It unwraps to its parts,
// so errors.As finds the first *Error.
type Errors []*Error

// maxErrors bounds Errors: nobody reads more, and a request of 10,000 services
// with one mistake in each must not make an answer larger than itself.
const maxErrors = 20

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the parts.
func (e Errors) Unwrap() []error {
	out := make([]error, len(e))
	for i, one := range e {
		out[i] = one
	}
	return out
}

func (e *Errors) add(errs ...*Error) {
	for _, one := range errs {
		if one != nil && len(*e) < maxErrors {
			*e = append(*e, one)
		}
	}
}

// err is e as an error: nil when empty, the *Error itself when there is one.
func (e Errors) err() error {
	switch len(e) {
	case 0:
		return nil
	case 1:
		return e[0]
	}
	return e
}

// List flattens err into its *Errors. An error that is none of this package
// becomes one of kind Internal, or Busy if it is a context's.
func List(err error) Errors {
	var many Errors
	var one *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &many):
		return many
	case errors.As(err, &one):
		return Errors{one}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Errors{{Kind: Busy, Why: err.Error(), Remedy: "try again"}}
	}
	return Errors{{Kind: Internal, Why: err.Error(), Remedy: "see the log of sluiced"}}
}

// IsKind tells whether err is, or begins with, an *Error of this kind.
func IsKind(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
