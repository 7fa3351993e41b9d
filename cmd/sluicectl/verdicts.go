package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func verdictsCmd(c *cli) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "verdicts",
		Short: "How many packets ended which way",
		Long: "How many packets ended which way; every packet counts once. In the table, only the ways that packets took,\n" +
			"each with what it means, and what to look at.",
		Example: "  sluicectl verdicts\n  sluicectl verdicts --all\n  sluicectl verdicts -o json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			verdicts, err := c.client.Verdicts(ctx)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), api.VerdictList{Verdicts: verdicts}, func(w io.Writer) error { return verdictsTable(w, verdicts, all) })
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "show also those that no packet had")
	return cmd
}

func verdictsTable(w io.Writer, verdicts []api.Verdict, all bool) error {
	var total uint64
	for _, v := range verdicts {
		total += v.Packets
	}
	if total == 0 && !all {
		return say(w, "No packets yet. (--all lists the verdicts there are.)")
	}
	t := newTable(w, "VERDICT", "OUTCOME", ">PACKETS", ">SHARE")
	for _, v := range verdicts {
		if v.Packets == 0 && !all {
			continue
		}
		if err := t.explained(v.Help, v.Name, v.Outcome, v.Packets, percent(float64(v.Packets), float64(total))); err != nil {
			return err
		}
	}
	return t.flush()
}
