package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func backendAddCmd(c *cli) *cobra.Command {
	var weight int64
	cmd := &cobra.Command{
		Use:   "add SERVICE ADDR[:PORT]",
		Short: "Add a backend to a service",
		Long: "Add a backend to a service. One that is there already with the same weight is left alone.\n" +
			"One that was removed lately is the same again: its counters and its flows go on.",
		Example: "  sluicectl backend add tcp:10.0.0.100:80 10.0.1.11\n" +
			"  sluicectl backend add tcp:10.0.0.100:80 10.0.1.12:8080 --weight 3",
		Args:              args("SERVICE", "ADDR[:PORT]"),
		ValidArgsFunction: completeService(c),
		RunE: func(cmd *cobra.Command, given []string) error {
			t, err := parseTarget(given)
			if err != nil {
				return err
			}
			w, err := checkWeight(weight)
			if err != nil {
				return err
			}
			return c.addBackend(cmd, t, w)
		},
	}
	cmd.Flags().Int64Var(&weight, "weight", 1, "share of new flows, 0 to 65535; 0: none")
	return cmd
}

func (c *cli) addBackend(cmd *cobra.Command, t target, weight uint32) error {
	ctx, cancel := answer(cmd)
	defer cancel()
	changed, err := c.onBackend(ctx, t, func(now *api.Backend) (uint32, error) {
		if now == nil {
			return weight, nil
		}
		if n := now.EffectiveWeight(); n != weight {
			return 0, fmt.Errorf("backend add: %s of %s: exists with weight %d, not %d: change it with: sluicectl backend set %s %s --weight %d",
				t.backend, t.service, n, weight, t.service, t.backend, weight)
		}
		return 0, errUnchanged
	})
	if err != nil {
		return err
	}
	if !changed {
		return c.did(cmd, false, "backend %s of %s exists already, unchanged", t.backend, t.service)
	}
	return c.did(cmd, true, "backend %s added to %s, weight %d", t.backend, t.service, weight)
}
