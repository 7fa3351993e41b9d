package main

import (
	"errors"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func workersCmd(c *cli) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "workers",
		Short: "Poll loops, what they did, and whether they keep up",
		Long: "Poll loops, what they did, and whether they keep up. For each worker\n\n" +
			"  RECEIVED + GENERATED = TRANSMITTED + TO-KERNEL + HANDED-OVER + DROPPED\n\n" +
			"The second table: flows. FLOWS and MAX are those of IPv4, FLOWS6 and MAX6 of IPv6.\n" +
			"EVICTED: flows that had only begun and made room for new ones in a full table.\n\n" +
			"The third tells how busy workers are. BUSY: share of the last second in polls that moved packets.\n" +
			"SATURATED: since when it does not keep up, that is, BUSY is 90% or more and half of the bursts from a port\n" +
			"are full. GAP: time from one poll to the next, since the start; so long a packet may wait in the device.\n\n" +
			"The fourth shows what each worker takes from each port. FILL: mean packets of a burst in the last second.\n" +
			"FULL: share of bursts then with 64 packets, which means that more were waiting in the device.\n" +
			"HANDED-OVER: packets that the device brought to the wrong worker.\n\n" +
			"The fifth shows rings where packets have waited for a worker or for the kernel path: now, at most, and\n" +
			"how many have room.",
		Example: "  sluicectl workers\n  sluicectl workers --all\n  sluicectl workers -o yaml",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			workers, err := c.client.Workers(ctx)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), api.WorkerList{Workers: workers}, func(w io.Writer) error {
				return errors.Join(workersTable(w, workers), busyTable(w, workers), arrivalsTable(w, workers), ringsTable(w, workers, all))
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show also the rings in which nothing has waited")
	return cmd
}

func workersTable(w io.Writer, workers []api.Worker) error {
	t := newTable(w, ">WORKER", ">CORE", ">RECEIVED", ">GENERATED", ">TRANSMITTED", ">TO-KERNEL", ">HANDED-OVER", ">DROPPED")
	flows := newTable(w, ">WORKER", ">FLOWS", ">MAX", ">FLOWS6", ">MAX6", ">CREATED", ">EXPIRED", ">EVICTED")
	for _, k := range workers {
		if err := errors.Join(t.row(k.ID, k.Core, k.Received, k.Generated, k.Transmitted, k.ToKernel, k.HandedOver, k.Dropped),
			flows.row(k.ID, k.Flows-k.Flows6, k.FlowsMax-k.Flows6Max, k.Flows6, k.Flows6Max, k.FlowsNew, k.FlowsExpired, k.FlowsEvicted)); err != nil {
			return err
		}
	}
	return errors.Join(t.flush(), say(w, ""), flows.flush())
}

func busyTable(w io.Writer, workers []api.Worker) error {
	err := say(w, "")
	t := newTable(w, ">WORKER", ">BUSY", "SATURATED", ">GAP-P50", ">GAP-P99.9", ">GAP-P99.99", ">GAP-LONGEST", "LONGEST-AT")
	for _, k := range workers {
		saturated, at := "no", "-"
		if k.SaturatedSince != nil {
			saturated = "since " + moment(*k.SaturatedSince)
		}
		if k.Gaps.LongestAt != nil {
			at = moment(*k.Gaps.LongestAt)
		}
		err = errors.Join(err, t.row(k.ID, percent(k.Busy, 1), saturated, span(k.Gaps.P50), span(k.Gaps.P999), span(k.Gaps.P9999), span(k.Gaps.Longest), at))
	}
	return errors.Join(err, t.flush())
}

func arrivalsTable(w io.Writer, workers []api.Worker) error {
	err := say(w, "")
	t := newTable(w, ">WORKER", "PORT", ">PACKETS", ">BURSTS", ">FILL", ">FULL", ">FULL-BURSTS", ">HANDED-OVER")
	for _, k := range workers {
		for _, a := range k.Ports {
			err = errors.Join(err, t.row(k.ID, a.Port, a.Packets, a.Bursts, fixed(a.Fill), percent(a.Full, 1), a.FullBursts, a.HandedOver))
		}
	}
	return errors.Join(err, t.flush())
}

func ringsTable(w io.Writer, workers []api.Worker, all bool) error {
	var rings []api.Ring
	for _, k := range workers {
		rings = append(rings, slices.DeleteFunc(slices.Clone(k.Rings), func(r api.Ring) bool { return r.Highest == 0 && r.Waiting == 0 && !all })...)
	}
	if len(rings) == 0 {
		return nil
	}
	t := newTable(w, ">WORKER", "RING", ">WAITING", ">HIGHEST", ">SIZE")
	err := say(w, "")
	for _, r := range rings {
		err = errors.Join(err, t.row(r.Worker, r.Kind+" "+r.Peer, r.Waiting, r.Highest, r.Size))
	}
	return errors.Join(err, t.flush())
}

func moment(t time.Time) string { return t.Local().Format(time.RFC3339) }
