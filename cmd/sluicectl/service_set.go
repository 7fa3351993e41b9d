package main

import (
	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func serviceSetCmd(c *cli) *cobra.Command {
	var f serviceFlags
	cmd := &cobra.Command{
		Use:   "set SERVICE",
		Short: "Change a service's settings",
		Long:  "Change those settings of a service that are given. Its backends and the flows it has stay.",
		Example: "  sluicectl service set tcp:10.0.0.100:80 --scheduler rr\n" +
			"  sluicectl service set tcp:10.0.0.100:80 --mode dr --local ''\n" +
			"  sluicectl service set tcp:10.0.0.100:80 --local 10.0.1.1,10.0.1.2   # exactly these",
		Args:              args("SERVICE"),
		ValidArgsFunction: completeService(c),
		RunE: func(cmd *cobra.Command, given []string) error {
			key, err := parseKey(given[0])
			if err != nil {
				return err
			}
			if flags := cmd.Flags(); !flags.Changed("mode") && !flags.Changed("scheduler") && !flags.Changed("local") {
				return usagef("service set: nothing to change: give --mode, --scheduler or --local")
			}
			return c.setService(cmd, key, &f)
		},
	}
	f.register(cmd)
	return cmd
}

func (c *cli) setService(cmd *cobra.Command, key api.Key, f *serviceFlags) error {
	ctx, cancel := answer(cmd)
	defer cancel()
	changed, err := c.onService(ctx, key, func(now *api.Service) (api.Service, error) {
		if now == nil {
			return api.Service{}, api.NoService(key)
		}
		want, err := f.on(cmd, *now).Canonical()
		if err == nil && differences(*now, want) == "" {
			err = errUnchanged
		}
		return want, err
	})
	if err != nil {
		return err
	}
	if !changed {
		return c.did(cmd, false, "service %s is so already, unchanged", key)
	}
	return c.did(cmd, true, "service %s changed", key)
}
