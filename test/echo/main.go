// Command echo is the UDP server and client of the lab.
//
//	echo serve --name rs1 --log udp.log --port 7   answer every datagram
//	echo ask   --count 100 --mark demo 10.0.0.100:7
//
// The server answers from the address it was asked on, which for dr and tun is
// a virtual address on its loopback, with "NAME QUESTION". The client asks from
// a new port each time, so every exchange is a flow of its own, and prints what
// came back: "100/100 rs1=50 rs2=50 retries=0".
//
// Runs on: real servers and client of a lab, outside the gateway. Imports
// nothing of Sluice.
package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command: use serve or ask")
	}
	switch args[0] {
	case "serve":
		return runServe(args[1:])
	case "ask":
		return runAsk(args[1:])
	}
	return fmt.Errorf("command: %s: unknown: use serve or ask", args[0])
}

func runServe(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	name := flags.String("name", "echo", "name to answer with")
	path := flags.String("log", os.DevNull, "file to append one line per exchange to")
	port := flags.Int("port", 7, "UDP port")
	if err := flags.Parse(args); err != nil {
		return err
	}
	log, err := os.OpenFile(*path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}
	failed := make(chan error)
	for _, family := range []string{"udp4", "udp6"} {
		server, err := listen(family, *port, *name, log)
		if err != nil {
			return fmt.Errorf("listen %s port %d: %w", family, *port, err)
		}
		go func() { failed <- server.serve() }()
	}
	return <-failed
}

func runAsk(args []string) error {
	flags := flag.NewFlagSet("ask", flag.ExitOnError)
	count := flags.Int("count", 1, "exchanges, each from a new port")
	mark := flags.String("mark", "q", "first word of the question; a number follows")
	wait := flags.Duration("wait", time.Second, "how long to wait for an answer")
	tries := flags.Int("tries", 3, "how often to ask before giving up")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("ask: want one ADDRESS:PORT, got %d arguments", flags.NArg())
	}
	to, err := netip.ParseAddrPort(flags.Arg(0))
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	sum := exchanges(to, *count, *mark, *wait, *tries)
	fmt.Println(sum)
	return sum.verdict()
}
