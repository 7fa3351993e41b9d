package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/client"
)

// Exit codes.
const (
	exitOK    = 0
	exitError = 1 // sluiced refuses, or cannot be reached
	exitUsage = 2 // the command line makes no sense
)

// answerTimeout bounds every call that is no stream.
const answerTimeout = 30 * time.Second

// cli is what all verbs share.
type cli struct {
	client client.Client
	output string // table, json or yaml
}

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	c := &cli{}
	defer c.client.Close()
	root := newRoot(c)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	cmd, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE): // whoever read has seen enough
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(errOut, "sluicectl: %v\nSee: %s --help\n", err, cmd.CommandPath())
		return exitUsage
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(errOut, "sluicectl:", strings.TrimSuffix(line, "\n"))
	}
	return exitError
}

func newRoot(c *cli) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "sluicectl",
		Short: "Show and change a running sluiced",
		Long: "sluicectl shows and changes a running sluiced through its control socket.\n\n" +
			"A service is written PROTOCOL:ADDRESS:PORT, such as tcp:10.0.0.100:80 or udp:[2001:db8::1]:53.",
		Example: "  sluicectl service add tcp:10.0.0.100:80 --mode fullnat --local 10.0.1.1\n" +
			"  sluicectl backend add tcp:10.0.0.100:80 10.0.1.11\n" +
			"  sluicectl counters\n" +
			"  sluicectl verdicts -o json",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if c.output != "table" && c.output != "json" && c.output != "yaml" {
				return usagef("output: %s: unknown format: use table, json or yaml", c.output)
			}
			return nil
		},
	})
	flags := root.PersistentFlags()
	flags.StringVar(&c.client.Socket, "socket", "", "control socket of sluiced (default $"+client.SocketEnv+", or else "+api.DefaultSocket+")")
	flags.StringVarP(&c.output, "output", "o", "table", "output format: table, json or yaml")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(statusCmd(c), portsCmd(c), workersCmd(c), verdictsCmd(c), flowsCmd(c), countersCmd(c), localPortsCmd(c),
		serviceCmd(c), backendCmd(c), applyCmd(c), exportCmd(c), reloadCmd(c))
	return root
}

// group makes cmd one that only holds others: alone it prints its help, and with
// a word that it does not know it fails, where cobra would print the help and
// succeed.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hint := ""
		if names := cmd.SuggestionsFor(args[0]); len(names) > 0 {
			hint = ": did you mean " + strings.Join(names, " or ") + "?"
		}
		return usagef("%s: %s: unknown command%s", cmd.CommandPath(), args[0], hint)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// flagError says what is wrong with a flag, where the library says what Go's
// function that reads numbers makes of it.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	switch {
	case errors.As(err, &value) && strings.HasPrefix(value.GetFlag().Value.Type(), "int"):
		return usagef("%s: %s: no whole number, or too large: give digits alone", value.GetFlag().Name, value.GetValue())
	case errors.As(err, &missing):
		return usagef("%s: %s: value is missing: write --%s %s", cmd.CommandPath(), missing.GetSpecifiedName(),
			missing.GetFlag().Name, strings.ToUpper(missing.GetFlag().Name))
	}
	return usageError{err}
}

// args checks the number of arguments; names is how the usage line calls them.
func args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		switch {
		case len(given) < len(names):
			return usagef("%s: %s is missing: usage: %s", cmd.CommandPath(), names[len(given)], cmd.UseLine())
		case len(given) > len(names):
			return usagef("%s: %s: one argument too many: usage: %s", cmd.CommandPath(), given[len(names)], cmd.UseLine())
		}
		return nil
	}
}

// answer bounds the time of a call that is no stream.
func answer(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return context.WithTimeout(cmd.Context(), answerTimeout)
}

func parseKey(s string) (api.Key, error) {
	key, err := api.ParseKey(s)
	if err != nil {
		return key, usageError{err}
	}
	return key, nil
}

// parseBackend reads ADDR or ADDR:PORT; the port defaults to the service's.
func parseBackend(s string, service api.Key) (netip.AddrPort, error) {
	ep, err := api.ParseEndpoint(s, service.Port)
	if err != nil {
		return ep, usageError{err}
	}
	return ep, nil
}

// completeService completes the first argument with the services there are.
func completeService(c *cli) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), 2*time.Second)
		defer cancel()
		if len(args) > 0 {
			return completeBackend(ctx, c, args), cobra.ShellCompDirectiveNoFileComp
		}
		list, err := c.client.Services(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, s := range list.Services {
			if key, err := s.Key(); err == nil {
				names = append(names, key.String())
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeBackend completes the second argument of the backend verbs.
func completeBackend(ctx context.Context, c *cli, args []string) []string {
	key, err := api.ParseKey(args[0])
	if err != nil || len(args) > 1 {
		return nil
	}
	s, _, err := c.client.Service(ctx, key)
	if err != nil {
		return nil
	}
	var names []string
	for _, b := range s.Backends {
		names = append(names, endpoint(b.Address, b.Port))
	}
	return names
}
