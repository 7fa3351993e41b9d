package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func statusCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "The daemon at a glance",
		Example: "  sluicectl status\n  sluicectl status -o json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			status, err := c.client.Status(ctx)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), status, func(w io.Writer) error { return statusTable(w, status) })
		},
	}
}

func statusTable(w io.Writer, s api.Status) error {
	hugepages := "no"
	if s.Hugepages {
		hugepages = "yes"
	}
	for _, line := range [][2]any{
		{"version", s.Version},
		{"dpdk", s.DPDK},
		{"pid", s.PID},
		{"started", moment(s.Started)},
		{"revision", s.Revision},
		{"services", s.Services},
		{"backends", s.Backends},
		{"workers", s.Workers},
		{"busy", shares(s.Busy)},
		{"saturated", saturations(s.Saturated)},
		{"rings", fullest(s.FullestRing)},
		{"flows", used(s.Flows-s.Flows6, s.FlowsMax-s.Flows6Max)},
		{"flows6", used(s.Flows6, s.Flows6Max)},
		{"evicted", s.Evicted},
		{"mbufs", used(uint64(max(s.MbufsInUse, 0)), uint64(max(s.Mbufs, 0))) + fmt.Sprintf(", at most %d", s.MbufsHigh)},
		{"hugepages", hugepages},
		{"tun-errors", losses(s.Kernel.TunnelErrors)},
	} {
		if _, err := fmt.Fprintf(w, "%-11s %v\n", line[0], line[1]); err != nil {
			return err
		}
	}
	for _, addr := range s.Kernel.OwnBackends {
		if err := say(w, "%-11s backend %s is the gateway itself: its packets are dropped", "warning", addr); err != nil {
			return err
		}
	}
	return nil
}

func used(n, size uint64) string {
	if size == 0 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d of %d (%s)", n, size, percent(float64(n), float64(size)))
}

// shares reads "12.5%, 3.1%": a share for each worker.
func shares(list []float64) string {
	out := make([]string, len(list))
	for i, share := range list {
		out[i] = percent(share, 1)
	}
	return strings.Join(out, ", ")
}

func saturations(list []api.Saturation) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("worker %d since %s", s.Worker, moment(s.Since))
	}
	if len(out) == 0 {
		return "no worker"
	}
	return strings.Join(out, ", ")
}

// fullest says which ring was fullest since the start.
func fullest(r *api.Ring) string {
	if r == nil {
		return "empty so far"
	}
	return fmt.Sprintf("fullest %s, now %d: worker %d %s %s", used(uint64(max(r.Highest, 0)), uint64(max(r.Size, 0))), r.Waiting, r.Worker, r.Kind, r.Peer)
}
