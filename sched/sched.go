package sched

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-lb/sluice/service"
)

// Default is the scheduler of a service that names none.
const Default = "wrr"

// Backend is what a scheduler needs to know of a backend.
type Backend struct {
	ID     service.BackendID
	Weight uint32 // 0: no new flows; at most 65535
}

// maker builds a plan. prev is the plan it follows, nil when the service had no
// backends before; it may be another scheduler's.
type maker func(prev service.Picker, backends []Backend, generation uint64) service.Picker

// registry has a row per scheduler.
var registry = map[string]maker{
	"rr":  newRR,
	"wrr": newWRR,
}

// Names are the known schedulers, sorted.
func Names() []string {
	var names []string
	for name := range registry {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Known says whether there is a scheduler of that name.
func Known(name string) bool { return registry[name] != nil }

// Build makes the first plan of a service: as if the backends, newest first,
// had been added one after another. Generations grow over all plans of a
// process and start above 0. It keeps no reference to backends.
func Build(name string, backends []Backend, generation uint64) (service.Picker, error) {
	return Rebuild(nil, name, backends, generation)
}

// Rebuild makes the plan that follows prev in the same service, nil for the
// first. Removals and weight changes between the two count as one change, after
// which new backends count as added one by one.
func Rebuild(prev service.Picker, name string, backends []Backend, generation uint64) (service.Picker, error) {
	plan := registry[name]
	if plan == nil {
		return nil, fmt.Errorf("scheduler: %s: unknown: choose one of %s", name, strings.Join(Names(), ", "))
	}
	return plan(prev, backends, generation), nil
}
