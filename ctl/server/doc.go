// Package server is the control socket: HTTP and JSON on a Unix socket, over an
// Engine that the daemon provides.
//
//	engine.go   what the daemon provides      read.go    GET of state and services
//	server.go   New, Serve, Shutdown          write.go   PUT and DELETE
//	openapi.go  the API's description         flows.go   the stream of flows
//	listen.go   the socket file, its lock     problem.go errors as problem documents
//
// Runs on: goroutines of its own, one per connection, on the housekeeping
// cores. It holds no state but its connections and calls the engine from any
// of them at once. A client that is slow or dead holds up its own request only,
// and that not longer than the write deadline.
package server
