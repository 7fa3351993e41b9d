package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func backendSetCmd(c *cli) *cobra.Command {
	var weight int64
	cmd := &cobra.Command{
		Use:   "set SERVICE ADDR[:PORT] --weight N",
		Short: "Change a backend's weight",
		Long:  "Change a backend's weight. With weight 0 it gets no new flows, and those it has go on.",
		Example: "  sluicectl backend set tcp:10.0.0.100:80 10.0.1.11 --weight 5\n" +
			"  sluicectl backend set tcp:10.0.0.100:80 10.0.1.11 --weight 0   # before maintenance",
		Args:              args("SERVICE", "ADDR[:PORT]"),
		ValidArgsFunction: completeService(c),
		RunE: func(cmd *cobra.Command, given []string) error {
			t, err := parseTarget(given)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("weight") {
				return usagef("backend set: --weight is missing: give --weight 0 to %d", api.MaxWeight)
			}
			w, err := checkWeight(weight)
			if err != nil {
				return err
			}
			return c.setBackend(cmd, t, w)
		},
	}
	cmd.Flags().Int64Var(&weight, "weight", 1, "share of new flows, 0 to 65535; 0: none")
	return cmd
}

func (c *cli) setBackend(cmd *cobra.Command, t target, weight uint32) error {
	ctx, cancel := answer(cmd)
	defer cancel()
	changed, err := c.onBackend(ctx, t, func(now *api.Backend) (uint32, error) {
		if now == nil {
			return 0, api.NoBackend(t.service, t.backend)
		}
		if now.EffectiveWeight() == weight {
			return 0, errUnchanged
		}
		return weight, nil
	})
	if err != nil {
		return err
	}
	if !changed {
		return c.did(cmd, false, "backend %s of %s has weight %d already, unchanged", t.backend, t.service, weight)
	}
	return c.did(cmd, true, "backend %s of %s has weight %d now", t.backend, t.service, weight)
}
