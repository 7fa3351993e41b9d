package dpdk

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// EALConfig says on which cores and in which memory DPDK runs.
type EALConfig struct {
	Prefix      string   // names this process among others: /run/dpdk/<prefix>
	MainCore    int      // CPU of EAL's main thread, which only sleeps
	WorkerCores []int    // CPU of worker i; a CPU may appear more than once
	Others      []int    // CPUs of all other threads; none: see Init
	Hugepages   bool     // false: ordinary pages, slower, for demo and tests
	MemoryMB    int      // MiB for DPDK; 0: 64 without hugepages, on demand with them
	Devices     []string // device strings of the ports to come: DPDK takes the PCI devices among them, no others
	PCI         bool     // take every PCI device that is bound to a driver of DPDK's; false: those of Devices only
	Extra       []string
}

// lcoreOf is the EAL's number for worker i: 0 is the main thread.
func lcoreOf(worker int) int { return worker + 1 }

// args is the EAL's command line, program name first.
func (c EALConfig) args() []string {
	args := []string{"sluice",
		"--lcores", c.lcores(), "--main-lcore", "0",
		"--file-prefix", c.Prefix,
		"--no-telemetry", "--log-level=warning",
	}
	if c.MemoryMB > 0 {
		args = append(args, "-m", strconv.Itoa(c.MemoryMB))
	}
	if c.Hugepages {
		// Pages come from anonymous files: none is left behind by a crash, and
		// no hugetlbfs has to be mounted.
		args = append(args, "--in-memory")
	} else {
		// --in-memory excludes --no-huge; what remains of it is --no-shconf.
		args = append(args, "--no-huge", "--no-shconf")
	}
	return append(append(args, c.pciArgs()...), c.Extra...)
}

// pciArgs keep DPDK off devices that are not ours: another program's may be
// bound to vfio-pci, too.
func (c EALConfig) pciArgs() (args []string) {
	if c.PCI {
		return nil
	}
	for _, text := range c.Devices {
		d, err := parseDevice(text)
		if err != nil {
			continue // Attach says why
		}
		for _, m := range d.all() {
			if m.driver == pci {
				args = append(args, "--allow="+m.dpdk(0))
			}
		}
	}
	if args == nil {
		// Without a device that needs physical addresses, virtual ones do.
		return []string{"--no-pci", "--iova-mode=va"}
	}
	return args
}

// lcores maps the main thread and the workers to CPUs, e.g. "0@0,1@2,2@3".
func (c EALConfig) lcores() string {
	var s strings.Builder
	fmt.Fprintf(&s, "0@%d", c.MainCore)
	for i, core := range c.WorkerCores {
		fmt.Fprintf(&s, ",%d@%d", lcoreOf(i), core)
	}
	return s.String()
}

var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,63}$`)

func validPrefix(prefix string) bool {
	return prefixForm.MatchString(prefix) && strings.Trim(prefix, ".") != ""
}

func prefixError(prefix string) error {
	return failure("EAL prefix", strconv.Quote(prefix), because("not a plain file name"),
		"use 1 to 63 of letters, digits, '-', '_' and '.'")
}

// check refuses what the EAL would refuse with its usage text, or would take
// and fail on later.
func (c EALConfig) check() error {
	if !validPrefix(c.Prefix) {
		return prefixError(c.Prefix)
	}
	if n := len(c.WorkerCores); n == 0 || n >= maxLcores {
		return failure("worker cores", n, because("this DPDK takes 1 to %d workers", maxLcores-1),
			"list the CPU of each worker")
	}
	for _, core := range slices.Concat([]int{c.MainCore}, c.WorkerCores, c.Others) {
		if err := checkCore(core); err != nil {
			return err
		}
	}
	if err := checkExtra(c.Extra); err != nil {
		return err
	}
	return c.checkMemory()
}

// owned are the options that follow from EALConfig's other fields, and those
// that print and exit.
var owned = []string{
	"-h", "--help", "-v", "--version", "-c", "-l", "--lcores", "-s", "-S", "--main-lcore",
	"--file-prefix", "-m", "--socket-mem", "--no-huge", "--no-shconf", "--in-memory",
	"--no-pci", "--proc-type", "--", "--vdev", "--no-telemetry", "--telemetry",
}

// checkExtra refuses extra options that would contradict or bypass the others.
func checkExtra(extra []string) error {
	for _, option := range extra {
		name, _, _ := strings.Cut(option, "=")
		if slices.Contains(owned, name) {
			return failure("extra EAL option", option, because("Sluice sets or excludes it itself"),
				"remove it and use the configuration's own key")
		}
	}
	return nil
}

// checkMemory refuses more memory than there is. Without it the EAL takes the
// address space, and the process dies when it touches the pages.
func (c EALConfig) checkMemory() error {
	if c.MemoryMB < 0 {
		return failure("EAL memory", c.MemoryMB, because("negative"), "give MiB, or 0 for the default")
	}
	if c.Hugepages {
		free := FreeHugepagesMB()
		if free == 0 || c.MemoryMB > free {
			return failure("EAL memory", fmt.Sprintf("%d MiB", c.MemoryMB),
				because("%d MiB of hugepages are free", free),
				fmt.Sprintf("run `sysctl -w vm.nr_hugepages=%d` (2 MB pages) or switch hugepages off", max(c.MemoryMB, 256)/2))
		}
		return nil
	}
	free, err := availableMB()
	if err == nil && c.MemoryMB > free {
		return failure("EAL memory", fmt.Sprintf("%d MiB", c.MemoryMB),
			because("%d MiB are available", free), "lower it, or free memory")
	}
	return nil
}
