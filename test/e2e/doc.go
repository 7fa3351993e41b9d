// Package e2e tests the real daemon and the real CLI in network namespaces: a
// client, the gateway and two real servers around a switch (scripts/lab.sh),
// with the kernel's own TCP, curl and nginx at the ends.
//
//	main_test.go    builds the programs, refuses to be skipped in CI
//	lab_test.go     a lab: hosts, commands and sockets in them
//	kernel_lab_test.go  more hosts and gateways, programs beside the daemon
//	daemon_test.go  sluiced in it; what has to hold after every test
//	wire_test.go    raw frames to and from a host
//	client_test.go  HTTP and UDP clients, servers' logs
//
// All other files are tests, named after what the daemon has to do. Every
// daemon that a test starts is stopped through daemon.stop, which checks that
// each worker accounts for all its packets, that all packet buffers are back,
// that the process ends cleanly and that nothing is left behind.
//
// Runs on: root, in labs of its own; several test runs and demos may run at
// once. Touches: namespaces sl-e*, /run/sluice-lab, build/.
package e2e
