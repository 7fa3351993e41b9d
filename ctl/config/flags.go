package config

import (
	"slices"

	"github.com/spf13/pflag"
)

// flagHelp has the keys that can be given as flags, too.
var flagHelp = map[string]string{
	"run_dir":        "directory for state and locks",
	"control.socket": "control socket",
	"metrics.listen": "address for Prometheus, empty: only on the control socket",
	"eal.hugepages":  "use hugepages",
	"eal.memory_mb":  "MiB for DPDK without hugepages",
	"eal.main_core":  "core for housekeeping",
	"workers.cores":  "cores of the workers, one worker each",
	"workers.idle":   "spin or sleep when idle",
	"workers.flows":  "IPv4 flows per worker",
	"workers.flows6": "IPv6 flows per worker",
	"log.level":      "debug, info, warn or error",
	"log.format":     "text or json",
}

// AddFlags defines the flags that Load understands.
func AddFlags(flags *pflag.FlagSet) {
	keys := make([]string, 0, len(flagHelp))
	for key := range flagHelp {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		name, help := FlagName(key), flagHelp[key]
		switch value := defaults[key].(type) {
		case bool:
			flags.Bool(name, value, help)
		case int:
			flags.Int(name, value, help)
		case []int:
			flags.IntSlice(name, value, help)
		case string:
			flags.String(name, value, help)
		}
	}
}
