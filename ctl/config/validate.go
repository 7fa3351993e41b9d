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

// validate checks every value and fills in derived defaults; it reports all
// that is wrong, not only the first.
func (c *Config) validate() error {
	return errors.Join(
		c.validatePaths(),
		c.validateCores(),
		c.validateNumbers(),
		c.validateTimeouts(),
		c.validateWords(),
		c.validatePorts(),
	)
}

func (c *Config) validatePaths() error {
	var errs []error
	for _, one := range []struct{ key, path string }{{"run_dir", c.RunDir}, {"control.socket", c.Control.Socket}} {
		if !filepath.IsAbs(one.path) {
			errs = append(errs, bad(one.key, strconv.Quote(one.path), "no absolute path", "begin it with /"))
		}
	}
	if len(c.Control.Socket) > 107 {
		errs = append(errs, bad("control.socket", c.Control.Socket, "longer than the 107 bytes of a Unix socket's name", "use a shorter path"))
	}
	if mode, err := strconv.ParseUint(c.Control.Mode, 8, 32); err != nil || mode > 0o777 {
		errs = append(errs, bad("control.mode", strconv.Quote(c.Control.Mode), "no octal file mode", `write "0660", in quotes`))
	}
	if c.Metrics.Listen != "" {
		_, port, err := net.SplitHostPort(c.Metrics.Listen)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		if err != nil {
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
	if c.Workers.Idle == "spin" && slices.Contains(cores, c.EAL.MainCore) {
		return bad("workers.cores", c.EAL.MainCore, "is eal.main_core, where nothing else would run beside a worker that spins",
			"choose another core for one of them, or set workers.idle to sleep")
	}
	return nil
}

// validateWords looks at values that are one of a few words.
func (c *Config) validateWords() error {
	var errs []error
	for _, one := range []struct {
		key, value, remedy string
		known              []string
	}{
		{"workers.idle", c.Workers.Idle, "use spin (production) or sleep (shared machines)", []string{"spin", "sleep"}},
		{"kernel.vips", c.Kernel.VIPs, "use managed (the daemon puts them on the twins) or external (keepalived or BGP does)", []string{VIPsManaged, VIPsExternal}},
		{"log.level", c.Log.Level, "use debug, info, warn or error", []string{"debug", "info", "warn", "error"}},
		{"log.format", c.Log.Format, "use text or json", []string{"text", "json"}},
	} {
		if !slices.Contains(one.known, one.value) {
			errs = append(errs, bad(one.key, strconv.Quote(one.value), "unknown", one.remedy))
		}
	}
	return errors.Join(errs...)
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
