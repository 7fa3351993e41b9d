package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func reloadCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have sluiced read its configuration file again",
		Long: "Have sluiced read its configuration file again, as SIGHUP does. The services become exactly those in the file: all of them, or,\n" +
			"if anything in the file is wrong, none. A file without a list of services leaves them alone; an empty list removes all.\n" +
			"Other settings take effect at the next start; those that differ are named. To look at a file beforehand: sluiced check FILE",
		Example: "  sluicectl reload\n  sluicectl reload -o json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			done, err := c.client.Reload(ctx)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), done, func(w io.Writer) error { return reloadText(w, done) })
		},
	}
}

func reloadText(w io.Writer, r api.Reload) error {
	services := "services reloaded"
	if !r.Services {
		services = "no list of services in the file: those there are stay"
	}
	if err := say(w, "%s, revision %d", services, r.Revision); err != nil || len(r.NeedsRestart) == 0 {
		return err
	}
	return say(w, "needs a restart: %s", strings.Join(r.NeedsRestart, ", "))
}
