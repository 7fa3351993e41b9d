package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

// backendList is the shape of the list in JSON and YAML.
type backendList struct {
	Backends []api.Backend `json:"backends"`
}

func backendListCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "list SERVICE",
		Short:             "Backends of a service",
		Example:           "  sluicectl backend list tcp:10.0.0.100:80\n  sluicectl backend list tcp:10.0.0.100:80 -o json",
		Args:              args("SERVICE"),
		ValidArgsFunction: completeService(c),
		RunE: func(cmd *cobra.Command, given []string) error {
			key, err := parseKey(given[0])
			if err != nil {
				return err
			}
			ctx, cancel := answer(cmd)
			defer cancel()
			s, _, err := c.client.Service(ctx, key)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), backendList{s.Backends}, func(w io.Writer) error { return backendsTable(w, key, s.Backends) })
		},
	}
}
