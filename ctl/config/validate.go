package config

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// interfaceNameMax is the kernel's IFNAMSIZ without the terminating zero.
const interfaceNameMax = 15

// validate checks every value and fills in derived defaults; it reports all
// that is wrong, not only the first.
func (c *Config) validate() error {
	return errors.Join(
		c.validatePaths(),
		c.validateCores(),
		c.validateNumbers(),
		c.validateTimeouts(),
		c.validatePorts(),
	)
}

// bad is an error about one key.
func bad(key string, value any, why, remedy string) error {
	return fmt.Errorf("%s: %v: %s: %s", key, value, why, remedy)
}

func (c *Config) validatePaths() error {
	var errs []error
	for key, path := range map[string]string{"run_dir": c.RunDir, "control.socket": c.Control.Socket} {
		if !filepath.IsAbs(path) {
			errs = append(errs, bad(key, strconv.Quote(path), "no absolute path", "begin it with /"))
		}
	}
	if len(c.Control.Socket) > 107 {
		errs = append(errs, bad("control.socket", c.Control.Socket, "longer than the 107 bytes of a Unix socket's name", "use a shorter path"))
	}
	if mode, err := strconv.ParseUint(c.Control.Mode, 8, 32); err != nil || mode > 0o777 {
		errs = append(errs, bad("control.mode", strconv.Quote(c.Control.Mode), "no octal file mode", `write "0660", in quotes`))
	}
	if c.Metrics.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Metrics.Listen); err != nil {
			errs = append(errs, bad("metrics.listen", c.Metrics.Listen, "no address and port", "write 127.0.0.1:9105, or nothing to switch it off"))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateCores() error {
	cores := c.Workers.Cores
	switch {
	case len(cores) == 0:
		return bad("workers.cores", cores, "no core", "name one core for each worker")
	case len(cores) > 64:
		return bad("workers.cores", len(cores), "more than 64 workers", "use fewer")
	}
	sorted := slices.Sorted(slices.Values(cores))
	for i, core := range sorted {
		if core < 0 {
			return bad("workers.cores", core, "negative core", "list cores as /proc/cpuinfo numbers them")
		}
		if i > 0 && core == sorted[i-1] {
			return bad("workers.cores", core, "core used twice", "give each worker a core of its own")
		}
	}
	if _, ok := map[string]bool{"spin": true, "sleep": true}[c.Workers.Idle]; !ok {
		return bad("workers.idle", strconv.Quote(c.Workers.Idle), "unknown", "use spin (production) or sleep (shared machines)")
	}
	return nil
}

func (c *Config) validateNumbers() error {
	var errs []error
	for _, n := range []struct {
		key             string
		value, min, max int
	}{
		{"workers.flows", c.Workers.Flows, 16, 1 << 28},
		{"workers.flows6", c.Workers.Flows6, 16, 1 << 28},
		{"eal.memory_mb", c.EAL.MemoryMB, 64, 1 << 20},
		{"eal.main_core", c.EAL.MainCore, 0, 1023},
		{"eal.mbufs", c.EAL.Mbufs, 1024, 1 << 24},
		{"limits.services", c.Limits.Services, 1, 65536},
		{"limits.backends", c.Limits.Backends, 1, 1000000},
	} {
		if n.value < n.min || n.value > n.max {
			errs = append(errs, bad(n.key, n.value, "out of range", fmt.Sprintf("use %d to %d", n.min, n.max)))
		}
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		errs = append(errs, bad("log.level", strconv.Quote(c.Log.Level), "unknown", "use debug, info, warn or error"))
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		errs = append(errs, bad("log.format", strconv.Quote(c.Log.Format), "unknown", "use text or json"))
	}
	return errors.Join(errs...)
}

func (c *Config) validateTimeouts() error {
	var errs []error
	t := c.Timeouts
	for _, one := range []struct {
		key   string
		value time.Duration
	}{
		{"tcp_established", t.TCPEstablished}, {"tcp_syn_received", t.TCPSynReceived}, {"tcp_fin_wait", t.TCPFinWait},
		{"tcp_close_wait", t.TCPCloseWait}, {"tcp_close", t.TCPClose}, {"udp", t.UDP},
	} {
		if one.value < time.Second || one.value > 31*24*time.Hour {
			errs = append(errs, bad("timeouts."+one.key, one.value, "out of range", "use 1s to 744h"))
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validatePorts() error {
	if len(c.Ports) == 0 {
		return bad("ports", "[]", "no port", "name at least one device; an example is deploy/sluice.yaml")
	}
	var errs []error
	seen := map[string]string{}
	unique := func(key, kind, value string) {
		if first, ok := seen[kind+value]; ok && value != "" {
			errs = append(errs, bad(key, value, "already used by "+first, "choose another"))
		}
		seen[kind+value] = key
	}
	for i := range c.Ports {
		p, key := &c.Ports[i], fmt.Sprintf("ports[%d]", i)
		errs = append(errs, p.validate(key))
		unique(key+".name", "name ", p.Name)
		unique(key+".device", "device ", p.Device)
		unique(key+".twin", "twin ", p.Twin)
	}
	return errors.Join(errs...)
}

func (p *Port) validate(key string) error {
	if p.Twin == "" {
		p.Twin = "sl-" + p.Name
	}
	if p.MTU == 0 {
		p.MTU = 1500
	}
	switch {
	case p.Name == "":
		return bad(key+".name", `""`, "missing", "give the port a name, such as lan")
	case p.Device == "":
		return bad(key+".device", `""`, "missing", "give DPDK device arguments (net_af_packet0,iface=eth0) or a PCI address (0000:3b:00.0)")
	case len(p.Twin) > interfaceNameMax:
		return bad(key+".twin", p.Twin, "longer than the kernel's 15 characters", "set a shorter one")
	case p.MTU < 576 || p.MTU > 9600:
		return bad(key+".mtu", p.MTU, "out of range", "use 576 to 9600")
	}
	for i, r := range p.Routes {
		if !r.To.IsValid() || !r.Via.IsValid() || r.To.Addr().Is4() != r.Via.Is4() {
			return bad(fmt.Sprintf("%s.routes[%d]", key, i), fmt.Sprintf("to %v via %v", r.To, r.Via),
				"no route", "write {to: 0.0.0.0/0, via: 10.0.0.254}, both of one family")
		}
	}
	return nil
}
