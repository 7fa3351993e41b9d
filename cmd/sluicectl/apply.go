package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

// maxFile bounds the file to apply, in bytes: what the control socket takes.
const maxFile = 48 << 20

func applyCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "apply FILE",
		Short: "Make the services exactly those of a YAML file",
		Long: "Make the services exactly those of a YAML or JSON file (- for standard input): all of them, or, if anything is wrong, none.\n" +
			"What is not in the file is removed. With a revision in the file this happens only if the configuration is still at it.",
		Example: "  sluicectl export > services.yaml\n" +
			"  sluicectl apply services.yaml\n\n" +
			"  services:\n" +
			"  - protocol: tcp\n" +
			"    address: 10.0.0.100\n" +
			"    port: 80\n" +
			"    mode: fullnat\n" +
			"    local_addresses: [10.0.1.1]\n" +
			"    backends:\n" +
			"    - address: 10.0.1.11\n" +
			"    - address: 10.0.1.12\n" +
			"      weight: 3",
		Args: args("FILE"),
		RunE: func(cmd *cobra.Command, given []string) error {
			list, err := readServices(cmd.InOrStdin(), given[0])
			if err != nil {
				return fmt.Errorf("apply: %s: %w", given[0], err)
			}
			ctx, cancel := answer(cmd)
			defer cancel()
			var only *uint64
			if list.Revision != 0 {
				only = &list.Revision
			}
			revision, err := c.client.ReplaceServices(ctx, list.Services, only)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), api.Revision{Revision: revision}, func(w io.Writer) error {
				return say(w, "%s applied, %d services, revision %d", given[0], len(list.Services), revision)
			})
		},
	}
}

// readServices reads and checks a file of services.
func readServices(in io.Reader, name string) (list api.ServiceList, err error) {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			var path *os.PathError
			if errors.As(err, &path) {
				err = path.Err
			}
			return list, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return list, err
	}
	if len(text) > maxFile {
		return list, fmt.Errorf("larger than %d MiB: is it the right file?", maxFile>>20)
	}
	if err := api.DecodeYAML(text, &list); err != nil {
		return list, err
	}
	if list.Services == nil {
		return list, errors.New("no list of services: write services: and the services below it; to remove all write services: []")
	}
	list.Services, err = api.CanonicalServices(list.Services)
	return list, err
}
