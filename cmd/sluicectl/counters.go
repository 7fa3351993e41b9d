package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func countersCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "counters [SERVICE]",
		Short: "Traffic of services and their backends",
		Long: "Traffic of services and their backends, of all or of one service.\n\n" +
			"FLOWS: created so far. ACTIVE: TCP, SYN received or established. INACTIVE: all others.\n" +
			"IN: client to backend. OUT: backend to client through the gateway, so none for dr and tun.",
		Example:           "  sluicectl counters\n  sluicectl counters tcp:10.0.0.100:80 -o json",
		ValidArgsFunction: completeService(c),
		Args: func(cmd *cobra.Command, given []string) error {
			if len(given) == 0 {
				return nil
			}
			return args("SERVICE")(cmd, given)
		},
		RunE: func(cmd *cobra.Command, given []string) error {
			var only *api.Key
			if len(given) == 1 {
				key, err := parseKey(given[0])
				if err != nil {
					return err
				}
				only = &key
			}
			ctx, cancel := answer(cmd)
			defer cancel()
			counters, err := c.client.Counters(ctx, only)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), api.CounterList{Services: counters}, func(w io.Writer) error { return countersTable(w, counters) })
		},
	}
}

func countersTable(w io.Writer, services []api.ServiceCounters) error {
	if len(services) == 0 {
		return say(w, "No services. Add one: sluicectl service add tcp:10.0.0.100:80 --mode fullnat --local 10.0.1.1")
	}
	t := newTable(w, "SERVICE / BACKEND", "MODE", ">WEIGHT", ">FLOWS", ">ACTIVE", ">INACTIVE", ">IN", ">IN-BYTES", ">OUT", ">OUT-BYTES")
	for _, s := range services {
		if err := trafficRow(t, serviceName(s.Protocol, s.Address, s.Port), s.Mode, "", s.Traffic); err != nil {
			return err
		}
		for _, b := range s.Backends {
			weight := fmt.Sprint(b.Weight)
			if b.Removed {
				weight = "removed"
			}
			if err := trafficRow(t, "  "+endpoint(b.Address, b.Port), "", weight, b.Traffic); err != nil {
				return err
			}
		}
	}
	return t.flush()
}

func trafficRow(t *table, name, mode, weight string, c api.Traffic) error {
	return t.row(name, mode, weight, c.Flows, c.Active, c.Inactive, c.InPackets, bytesOf(c.InBytes), c.OutPackets, bytesOf(c.OutBytes))
}
