package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func serviceShowCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "show SERVICE",
		Short:             "One service and its backends",
		Example:           "  sluicectl service show tcp:10.0.0.100:80\n  sluicectl service show udp:[2001:db8::1]:53 -o yaml",
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
			return c.print(cmd.OutOrStdout(), s, func(w io.Writer) error { return serviceTable(w, key, s) })
		},
	}
}

func serviceTable(w io.Writer, key api.Key, s api.Service) error {
	text := fmt.Sprintf("%-10s %s\n%-10s %s\n%-10s %s\n", "service", key, "mode", s.Mode, "scheduler", s.Scheduler)
	if len(s.LocalAddresses) > 0 {
		text += fmt.Sprintf("%-10s %s\n", "local", strings.Join(s.LocalAddresses, ", "))
	}
	if _, err := io.WriteString(w, text+"\n"); err != nil {
		return err
	}
	return backendsTable(w, key, s.Backends)
}
