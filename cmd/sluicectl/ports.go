package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func portsCmd(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "ports",
		Short: "DPDK ports, their twins in the kernel, and their counters",
		Long: "DPDK ports, their twins in the kernel, and their counters.\n\n" +
			"The second table has the counters. MISSED: frames the device had to drop because workers did not keep up.\n" +
			"ERRORS: both directions. NOBUF: frames for which there was no packet buffer. HANDED-OVER: packets that the\n" +
			"device brought to the wrong worker (sluicectl workers: from which to which).\n" +
			"The third has a row for each twin, of the untagged network and of VLANs: frames to and from the kernel, and\n" +
			"what it lost by reason.\n" +
			"Below stands what devices lack, and what is done instead.",
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
	t := newTable(w, "PORT", "LINK", "MAC", ">MTU", ">QUEUES", "DRIVER", "TWIN")
	counts := newTable(w, "PORT", ">RX", ">RX-BYTES", ">TX", ">TX-BYTES", ">MISSED", ">ERRORS", ">NOBUF", ">HANDED-OVER")
	for _, p := range ports {
		if err := errors.Join(t.row(p.Name, p.Link, p.MAC, p.MTU, p.Queues, p.Driver, p.Twin),
			counts.row(p.Name, p.RxPackets, bytesOf(p.RxBytes), p.TxPackets, bytesOf(p.TxBytes),
				p.RxMissed, p.RxErrors+p.TxErrors, p.RxNoBuf, p.HandedOver)); err != nil {
			return err
		}
	}
	return errors.Join(t.flush(), say(w, ""), counts.flush(), twinsTable(w, ports), limitsText(w, ports))
}

func twinsTable(w io.Writer, ports []api.Port) error {
	t := newTable(w, "TWIN", "PORT", ">VLAN", ">TO-KERNEL", ">FROM-KERNEL", "LOST")
	for _, p := range ports {
		for _, twin := range p.Twins {
			vlan := "-"
			if twin.VLAN != 0 {
				vlan = strconv.Itoa(int(twin.VLAN))
			}
			if err := t.row(twin.Name, p.Name, vlan, twin.ToKernel, twin.FromKernel, losses(twin.Lost)); err != nil {
				return err
			}
		}
	}
	if len(t.rows) == 0 {
		return nil
	}
	return errors.Join(say(w, ""), t.flush())
}

// losses reads "ring-full 3, write 1".
func losses(lost map[string]uint64) string {
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(lost)) {
		if n := lost[reason]; n > 0 {
			out = append(out, fmt.Sprintf("%s %d", reason, n))
		}
	}
	if len(out) == 0 {
		return "-"
	}
	return strings.Join(out, ", ")
}

func limitsText(w io.Writer, ports []api.Port) error {
	first := true
	for _, p := range ports {
		for _, limit := range p.Limits {
			if first {
				first = false
				if err := say(w, ""); err != nil {
					return err
				}
			}
			if err := say(w, "%s: %s", p.Name, limit); err != nil {
				return err
			}
		}
	}
	return nil
}
