package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func workersCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "workers",
		Short: "Poll loops and what they did",
		Long: "Poll loops and what they did. For each worker\n\n" +
			"  RECEIVED + GENERATED = TRANSMITTED + TO-KERNEL + HANDED-OVER + DROPPED\n\n" +
			"BUSY is the share of polls that found packets, of late. FLOWS and MAX are those of IPv4, FLOWS6 and MAX6 of IPv6.\n" +
			"EVICTED: flows that had only begun and made room for new ones in a full table.",
		Example: "  sluicectl workers\n  sluicectl workers -o yaml",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			workers, err := c.client.Workers(ctx)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), api.WorkerList{Workers: workers}, func(w io.Writer) error { return workersTable(w, workers) })
		},
	}
}

func workersTable(w io.Writer, workers []api.Worker) error {
	t := newTable(w, ">WORKER", ">CORE", ">BUSY", ">RECEIVED", ">GENERATED", ">TRANSMITTED", ">TO-KERNEL", ">HANDED-OVER", ">DROPPED",
		">FLOWS", ">MAX", ">FLOWS6", ">MAX6", ">CREATED", ">EXPIRED", ">EVICTED")
	for _, k := range workers {
		if err := t.row(k.ID, k.Core, percent(k.Busy, 1), k.Received, k.Generated, k.Transmitted, k.ToKernel, k.HandedOver, k.Dropped,
			k.Flows-k.Flows6, k.FlowsMax-k.Flows6Max, k.Flows6, k.Flows6Max, k.FlowsNew, k.FlowsExpired, k.FlowsEvicted); err != nil {
			return err
		}
	}
	return t.flush()
}
