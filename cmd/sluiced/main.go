// Command sluiced is the daemon: it wires configuration, DPDK, the kernel path,
// workers and the control socket together, and takes them apart again.
//
//	main.go      the command line
//	flags.go     what is wrong with it
//	daemon.go    start and stop, in order
//	machine.go   what the machine lacks, before anything is started
//	dataplane.go ports, pool, workers
//	engine.go    what the control socket shows and changes
//	ports.go     ports, their twins and VLANs
//	clean.go     what an ended daemon has left
//	reload.go    the configuration file again
//	flows.go     listing of flows
//	upkeep.go    what has to be looked at every now and then
//	systemd.go   readiness, reloads and life signs for the service manager
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/dpdk"
)

const defaultConfig = "/etc/sluice/sluice.yaml"

func main() {
	if err := command().Execute(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			fmt.Fprintln(os.Stderr, "sluiced:", line)
		}
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var file string
	root := &cobra.Command{
		Use:   "sluiced",
		Short: "Layer-4 load balancer on DPDK",
		Long: "sluiced forwards TCP and UDP to real servers through DPDK, as its configuration file\n" +
			"says and sluicectl changes it. Every key of the file but ports and services can be overridden by\n" +
			"the environment (SLUICE_WORKERS_FLOWS for workers.flows) and many by a flag (--workers-flows).\n" +
			"SIGHUP (or sluicectl reload) makes it read the services of the file again.",
		Example: "  sluiced --config /etc/sluice/sluice.yaml\n" +
			"  sluiced --config sluice.yaml --log-level debug\n" +
			"  sluiced check sluice.yaml",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       release() + ", " + dpdk.Version(), // which begins with DPDK
		RunE: func(cmd *cobra.Command, _ []string) error {
			load := func(checks ...func(*config.Config) error) (*config.Config, error) {
				return config.Load(file, cmd.Flags(), append(checks, checkInterfaces, checkServices)...)
			}
			c, err := load(checkMachine)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return run(ctx, file, c, load)
		},
	}
	root.PersistentFlags().StringVar(&file, "config", defaultConfig, "configuration file")
	config.AddFlags(root.Flags())
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(checkCommand(), cleanCommand(&file))
	return root
}

func checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE",
		Short:   "Check a configuration file and say what is wrong with it",
		Long:    "check reads a configuration file as the daemon would, services included, and starts nothing.\nIt needs no root.",
		Example: "  sluiced check /etc/sluice/sluice.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("check: %d files given: one is needed: sluiced check %s", len(args), defaultConfig)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := config.Load(args[0], nil, checkInterfaces, checkServices)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: good: %d ports, %d workers, %d services\n",
				args[0], len(c.Ports), len(c.Workers.Cores), len(c.Services))
			return nil
		},
	}
}

// version is what scripts/build.sh says of the sources (-ldflags -X).
var version string

// release is what runs: the version, or what Go's own build recorded.
func release() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "devel"
}
