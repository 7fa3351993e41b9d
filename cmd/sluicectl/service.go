package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func serviceCmd(c *cli) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "service",
		Short: "Virtual services",
		Long: "Virtual services. A service is written PROTOCOL:ADDRESS:PORT, such as tcp:10.0.0.100:80 or udp:[2001:db8::1]:53.\n\n" +
			"  MODE     REQUESTS                                REPLIES          NEEDS\n" +
			"  dr       as they came, to the backend's MAC      bypass us        backend on our link, VIP on its loopback\n" +
			"  nat      to the backend's address and port       come back by us  backend's default route by us\n" +
			"  fullnat  the same, from a local address of ours  come back by us  --local, of the VIP's family\n" +
			"  tun      inside a new IP header                  bypass us        --local, of each backend's family; backend decapsulates\n\n" +
			"dr, nat and fullnat work within IPv4 or within IPv6, tun from any to any.",
		Example: "  sluicectl service add tcp:10.0.0.100:80 --mode fullnat --local 10.0.1.1\n" +
			"  sluicectl service list",
	})
	cmd.AddCommand(serviceListCmd(c), serviceShowCmd(c), serviceAddCmd(c), serviceSetCmd(c), serviceRemoveCmd(c))
	return cmd
}

// serviceFlags are a service's settings on the command line.
type serviceFlags struct {
	mode, scheduler string
	locals          []string
}

func (f *serviceFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.mode, "mode", "", "how packets reach the backends: dr, nat, fullnat or tun")
	flags.StringVar(&f.scheduler, "scheduler", "", "how new flows are spread (default "+api.DefaultScheduler+")")
	flags.StringSliceVar(&f.locals, "local", nil, "an address of the gateway's own, repeat for more; fullnat: what backends see as client; tun: source of the outer header, one for each family of backends")
	_ = cmd.RegisterFlagCompletionFunc("mode", cobra.FixedCompletions([]string{"dr", "nat", "fullnat", "tun"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("scheduler", cobra.FixedCompletions([]string{"rr", "wrr"}, cobra.ShellCompDirectiveNoFileComp))
}

// on returns s with the flags that were given.
func (f *serviceFlags) on(cmd *cobra.Command, s api.Service) api.Service {
	if cmd.Flags().Changed("mode") {
		s.Mode = f.mode
	}
	if cmd.Flags().Changed("scheduler") {
		s.Scheduler = f.scheduler
	}
	if cmd.Flags().Changed("local") {
		s.LocalAddresses = slices.DeleteFunc(slices.Clone(f.locals), func(s string) bool { return s == "" })
	}
	return s
}

// newService is the service key without settings.
func newService(key api.Key) api.Service {
	return api.Service{Protocol: key.Protocol, Address: key.Address.String(), Port: key.Port}
}

// differences says which settings differ between two canonical services:
// "mode is dr, not fullnat".
func differences(now, want api.Service) string {
	var out []string
	for _, setting := range []struct{ name, now, want string }{
		{"mode", now.Mode, want.Mode},
		{"scheduler", now.Scheduler, want.Scheduler},
		{"local", strings.Join(now.LocalAddresses, ","), strings.Join(want.LocalAddresses, ",")},
	} {
		if setting.now != setting.want {
			out = append(out, fmt.Sprintf("%s is %s, not %s", setting.name, orNone(setting.now), orNone(setting.want)))
		}
	}
	return strings.Join(out, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func servicesTable(w io.Writer, services []api.Service) error {
	if len(services) == 0 {
		return say(w, "No services. Add one: sluicectl service add tcp:10.0.0.100:80 --mode fullnat --local 10.0.1.1")
	}
	t := newTable(w, "SERVICE", "MODE", "SCHEDULER", ">BACKENDS", "LOCAL")
	for _, s := range services {
		if err := t.row(serviceName(s.Protocol, s.Address, s.Port), s.Mode, s.Scheduler, len(s.Backends), strings.Join(s.LocalAddresses, ",")); err != nil {
			return err
		}
	}
	return t.flush()
}

func backendsTable(w io.Writer, key api.Key, backends []api.Backend) error {
	if len(backends) == 0 {
		return say(w, "No backends. Add one: sluicectl backend add %s 10.0.1.11", key)
	}
	t := newTable(w, "BACKEND", ">WEIGHT")
	for _, b := range backends {
		if err := t.row(endpoint(b.Address, b.Port), b.EffectiveWeight()); err != nil {
			return err
		}
	}
	return t.flush()
}
