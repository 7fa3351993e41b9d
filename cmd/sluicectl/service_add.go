package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func serviceAddCmd(c *cli) *cobra.Command {
	var f serviceFlags
	cmd := &cobra.Command{
		Use:   "add SERVICE --mode MODE",
		Short: "Add a service",
		Long:  "Add a service. One that is there already with the same settings is left alone.",
		Example: "  sluicectl service add tcp:10.0.0.100:80 --mode fullnat --local 10.0.1.1 --local 10.0.1.2\n" +
			"  sluicectl service add udp:10.0.0.100:53 --mode dr --scheduler rr\n" +
			"  sluicectl service add tcp:[2001:db8::1]:80 --mode nat\n" +
			"  sluicectl service add tcp:10.0.0.101:80 --mode tun --local 10.0.1.1 --local 2001:db8:1::1",
		Args: args("SERVICE"),
		RunE: func(cmd *cobra.Command, given []string) error {
			key, err := parseKey(given[0])
			if err != nil {
				return err
			}
			if f.mode == "" {
				return usagef("service add: --mode is missing: use --mode dr, nat, fullnat or tun")
			}
			want, err := f.on(cmd, newService(key)).Canonical()
			if err != nil {
				return err
			}
			return c.addService(cmd, key, want)
		},
	}
	f.register(cmd)
	return cmd
}

func (c *cli) addService(cmd *cobra.Command, key api.Key, want api.Service) error {
	ctx, cancel := answer(cmd)
	defer cancel()
	changed, err := c.onService(ctx, key, func(now *api.Service) (api.Service, error) {
		if now == nil {
			return want, nil
		}
		if diff := differences(*now, want); diff != "" {
			return want, fmt.Errorf("service add: %s: exists with other settings (%s): change them with: sluicectl service set %s", key, diff, key)
		}
		return want, errUnchanged
	})
	if err != nil {
		return err
	}
	if !changed {
		return c.did(cmd, false, "service %s exists already, unchanged", key)
	}
	return c.did(cmd, true, "service %s added", key)
}
