// Package build turns configuration into snapshots: it checks what the control
// socket or a file asks for, gives out ids, and publishes the outcome through
// service.Store.
//
// Runs on: control-plane goroutines, any number; a lock lets one change through
// at a time. Touches: the store's snapshot; workers see a change at their next
// burst and never wait for it. Imports ctl/api, sched and service.
package build
