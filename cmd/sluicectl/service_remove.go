package main

import "github.com/spf13/cobra"

func serviceRemoveCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "remove SERVICE",
		Short:             "Remove a service and its backends",
		Long:              "Remove a service and its backends. Packets of its flows are dropped from then on.",
		Example:           "  sluicectl service remove tcp:10.0.0.100:80",
		Args:              args("SERVICE"),
		ValidArgsFunction: completeService(c),
		RunE: func(cmd *cobra.Command, given []string) error {
			key, err := parseKey(given[0])
			if err != nil {
				return err
			}
			ctx, cancel := answer(cmd)
			defer cancel()
			if _, err := c.client.DeleteService(ctx, key, nil); err != nil {
				return err
			}
			return c.did(cmd, true, "service %s removed", key)
		},
	}
}
