package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

// exported is a file for apply. It has no revision, so that it can be applied
// later and elsewhere.
type exported struct {
	Services []api.Service `json:"services"`
}

func exportCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "export",
		Short:   "Write all services as YAML for apply",
		Long:    "Write all services as YAML (with -o json as JSON), in the form that apply reads.",
		Example: "  sluicectl export > services.yaml\n  sluicectl --socket /run/a.sock export | sluicectl --socket /run/b.sock apply -",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			list, err := c.client.Services(ctx)
			if err != nil {
				return err
			}
			if c.output == "json" {
				e := json.NewEncoder(cmd.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(exported{list.Services})
			}
			return printYAML(cmd.OutOrStdout(), exported{list.Services})
		},
	}
}
