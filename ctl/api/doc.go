// Package api holds the one schema: the types that the control socket's JSON,
// the YAML of services and the CLI's -o json and -o yaml all speak. The OpenAPI
// document is generated from them, so the doc tags are its descriptions.
//
// Runs on: no thread of its own; plain data and its decoding. Imports nothing
// of Sluice.
package api
