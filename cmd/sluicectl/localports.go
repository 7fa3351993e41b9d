package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func localPortsCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "local-ports",
		Short: "Local ports of fullnat that are in use",
		Long: "Local ports of fullnat that are in use. A local address has 64512 ports towards each backend.\n\n" +
			"First services, the fullest first: the backend towards which its local addresses, taken together, have least left.\n" +
			"FULL is that of the worker that has least left of its share. At 100% new flows to the backend are dropped as\n" +
			"no-local-port: add local addresses to the service (sluicectl service set SERVICE --local ADDRESS,...).\n" +
			"Then local addresses: flows that have a port of it, towards how many backends, and how full it is towards the fullest.",
		Example: "  sluicectl local-ports\n  sluicectl local-ports -o json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			ports, err := c.client.LocalPorts(ctx)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), ports, func(w io.Writer) error { return localPortsTables(w, ports) })
		},
	}
}

func localPortsTables(w io.Writer, ports api.LocalPorts) error {
	if len(ports.Services)+len(ports.Addresses) == 0 {
		return say(w, "No services in mode fullnat: the other modes need no local ports.")
	}
	services := newTable(w, "SERVICE", "FULLEST-BACKEND", ">USED", ">OF", ">FULL")
	for _, s := range ports.Services {
		backend := s.Backend
		if backend == "" {
			backend = "-"
		}
		if err := services.row(serviceName(s.Protocol, s.Address, s.Port), backend, s.Used, s.Max, percent(s.Ratio, 1)); err != nil {
			return err
		}
	}
	if err := errors.Join(services.flush(), say(w, "")); err != nil {
		return err
	}
	addresses := newTable(w, "ADDRESS", ">FLOWS", ">BACKENDS", ">FULLEST")
	for _, a := range ports.Addresses {
		if err := addresses.row(a.Address, a.Flows, a.Backends, percent(a.Fullest, 1)); err != nil {
			return err
		}
	}
	return addresses.flush()
}
