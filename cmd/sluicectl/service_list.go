package main

import (
	"io"

	"github.com/spf13/cobra"
)

func serviceListCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "All services",
		Long:    "All services. With -o json or yaml also their backends and the revision.",
		Example: "  sluicectl service list\n  sluicectl service list -o json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			list, err := c.client.Services(ctx)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), list, func(w io.Writer) error { return servicesTable(w, list.Services) })
		},
	}
}
