// Package api holds the one schema: the types that the control socket's JSON,
// the YAML of services and the CLI's -o json and -o yaml all speak. The OpenAPI
// document is generated from them, so the doc tags are its descriptions.
//
//	service.go   services and backends        state.go   what is observed
//	key.go       tcp:10.0.0.100:80            flows.go   filter of the flow list
//	decode.go    strict JSON and YAML         error.go   errors; problem.go their wire form
//	validate.go  the gate: canonical or error change.go  edits of a service list
//
// Runs on: no thread of its own; plain data, its decoding, and pure functions
// over it. Imports nothing of Sluice.
package api
