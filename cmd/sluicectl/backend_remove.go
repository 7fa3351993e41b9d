package main

import "github.com/spf13/cobra"

func backendRemoveCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "remove SERVICE ADDR[:PORT]",
		Short: "Remove a backend from a service",
		Long: "Remove a backend from a service. Packets of its flows are dropped from then on;\n" +
			"to let them finish, set its weight to 0 first and wait.",
		Example:           "  sluicectl backend remove tcp:10.0.0.100:80 10.0.1.11",
		Args:              args("SERVICE", "ADDR[:PORT]"),
		ValidArgsFunction: completeService(c),
		RunE: func(cmd *cobra.Command, given []string) error {
			t, err := parseTarget(given)
			if err != nil {
				return err
			}
			ctx, cancel := answer(cmd)
			defer cancel()
			if _, err := c.client.DeleteBackend(ctx, t.service, t.backend, nil); err != nil {
				return err
			}
			return c.did(cmd, true, "backend %s removed from %s", t.backend, t.service)
		},
	}
}
