package main

import (
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

type flowFlags struct {
	service, client, backend string
	limit                    int
	wide                     bool // more columns in the table
}

func flowsCmd(c *cli) *cobra.Command {
	var f flowFlags
	cmd := &cobra.Command{
		Use:   "flows",
		Short: "Connections that the forwarder knows",
		Long: "Connections that the forwarder knows, as they are found, in no order.\n\n" +
			"LEFT: time until it ends if no packet comes. With --wide, also the mode, the gateway's own end towards the\n" +
			"backend (fullnat), packets and bytes from the client (IN) and to it (OUT), and the worker that has the flow.\n\n" +
			"With -o json one object a line, with -o yaml one document each.",
		Example: "  sluicectl flows --limit 20\n" +
			"  sluicectl flows --wide\n" +
			"  sluicectl flows --service tcp:10.0.0.100:80 --client 192.0.2.7\n" +
			"  sluicectl flows --backend 10.0.1.11:80 -o json",
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter()
			if err != nil {
				return usageError{err}
			}
			emit, flush := c.flowPrinter(cmd.OutOrStdout(), f.wide)
			// No time-out: a long list takes as long as it takes.
			if err := c.client.Flows(cmd.Context(), filter, emit); err != nil {
				_ = flush() // what came is still worth seeing
				return err
			}
			return flush()
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.service, "service", "", "only flows of this service, such as tcp:10.0.0.100:80")
	flags.StringVar(&f.client, "client", "", "only flows of this client's address")
	flags.StringVar(&f.backend, "backend", "", "only flows to this backend, ADDR or ADDR:PORT")
	flags.IntVar(&f.limit, "limit", 0, "at most so many; 0: all")
	flags.BoolVarP(&f.wide, "wide", "w", false, "show more columns")
	_ = cmd.RegisterFlagCompletionFunc("service", completeService(c))
	return cmd
}

func (f flowFlags) filter() (out api.FlowFilter, err error) {
	if f.limit < 0 {
		return out, usagef("limit: %d: negative: give 0 or more", f.limit)
	}
	out.Limit = f.limit
	if f.service != "" {
		key, err := api.ParseKey(f.service)
		if err != nil {
			return out, err
		}
		out.Service = &key
	}
	if f.client != "" {
		if out.Client, err = api.ParseAddress(f.client); err != nil {
			return out, err
		}
	}
	if f.backend != "" {
		out.Backend, err = api.ParseBackendFilter(f.backend)
	}
	return out, err
}

// flowPrinter prints flows one by one in the format chosen.
func (c *cli) flowPrinter(w io.Writer, wide bool) (emit func(api.Flow) error, flush func() error) {
	none := func() error { return nil }
	switch c.output {
	case "json":
		e := json.NewEncoder(w)
		return func(f api.Flow) error { return e.Encode(f) }, none
	case "yaml":
		return func(f api.Flow) error {
			if _, err := io.WriteString(w, "---\n"); err != nil {
				return err
			}
			return printYAML(w, f)
		}, none
	}
	heads := []string{"CLIENT", "SERVICE", "BACKEND", "STATE", ">LEFT"}
	if wide {
		heads = append(heads, "MODE", "LOCAL", ">IN", ">IN-BYTES", ">OUT", ">OUT-BYTES", ">WORKER")
	}
	t := newTable(w, heads...)
	return func(f api.Flow) error { return t.row(flowCells(f)[:len(heads)]...) }, t.flush
}

// flowCells are all columns; those of the narrow table come first.
func flowCells(f api.Flow) []any {
	local := f.Local
	if local == "" {
		local = "-"
	}
	return []any{f.Client, f.Protocol + ":" + f.Virtual, f.Backend, f.State, seconds(f.Expires),
		f.Mode, local, f.InPackets, bytesOf(f.InBytes), f.OutPackets, bytesOf(f.OutBytes), f.Worker}
}
