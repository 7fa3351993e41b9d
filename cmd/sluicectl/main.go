// Command sluicectl shows and changes a running sluiced through its control
// socket. One file per verb; root.go holds what they share, output.go and
// table.go how they print.
//
// Runs on: one goroutine of its own process. Imports only ctl/client and
// ctl/api, and builds without cgo.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is what scripts/build.sh says of the sources (-ldflags -X); sluicectl
// status shows the daemon's.
var version = "devel"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
