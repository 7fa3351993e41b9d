package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func portsCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "ports",
		Short: "DPDK ports, their twins in the kernel, and their counters",
		Long: "DPDK ports, their twins in the kernel, and their counters.\n\n" +
			"MISSED: frames the device had to drop because workers did not keep up. ERRORS: both directions.\n" +
			"NOBUF: frames for which there was no packet buffer. TO-KERNEL and FROM-KERNEL: frames through the twin.",
		Example: "  sluicectl ports\n  sluicectl ports -o json",
		Args:    args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := answer(cmd)
			defer cancel()
			ports, err := c.client.Ports(ctx)
			if err != nil {
				return err
			}
			return c.print(cmd.OutOrStdout(), api.PortList{Ports: ports}, func(w io.Writer) error { return portsTable(w, ports) })
		},
	}
}

func portsTable(w io.Writer, ports []api.Port) error {
	t := newTable(w, "PORT", "LINK", "MAC", ">MTU", ">QUEUES", "DRIVER", "TWIN", ">RX", ">RX-BYTES", ">TX", ">TX-BYTES",
		">MISSED", ">ERRORS", ">NOBUF", ">TO-KERNEL", ">FROM-KERNEL")
	for _, p := range ports {
		if err := t.row(p.Name, p.Link, p.MAC, p.MTU, p.Queues, p.Driver, p.Twin, p.RxPackets, bytesOf(p.RxBytes), p.TxPackets, bytesOf(p.TxBytes),
			p.RxMissed, p.RxErrors+p.TxErrors, p.RxNoBuf, p.ToKernel, p.FromKernel); err != nil {
			return err
		}
	}
	return t.flush()
}
