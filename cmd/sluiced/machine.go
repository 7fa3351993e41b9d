package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/ctl/config"
)

// checkMachine says what the configuration wants and this machine lacks, or does
// not let this process have. It looks only: DPDK, which is started later, tells
// of devices.
func checkMachine(c *config.Config) error {
	return errors.Join(checkCores(c), checkCapabilities())
}

func checkCores(c *config.Config) error {
	var errs []error
	online := onlineCores()
	check := func(key string, core int) {
		if online != "" && !inList(online, core) {
			errs = append(errs, fmt.Errorf("%s: %d: this machine has no such core online: choose one of %s (see lscpu -e)", key, core, online))
		}
	}
	check("eal.main_core", c.EAL.MainCore)
	for i, core := range c.Workers.Cores {
		check(fmt.Sprintf("workers.cores[%d]", i), core)
	}
	return errors.Join(errs...)
}

// onlineCores is the kernel's list, such as 0-3,8; "" when it cannot be read.
func onlineCores() string {
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// inList says whether a list such as 0-3,8 has n.
func inList(list string, n int) bool {
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 == nil && err2 == nil && from <= n && n <= to {
			return true
		}
	}
	return false
}

// needed are the capabilities without which nothing works: twins, addresses and
// routes need the one, packet sockets the other.
var needed = []struct {
	bit  int
	name string
}{{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, {unix.CAP_NET_RAW, "CAP_NET_RAW"}}

func checkCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read own capabilities: %w", err)
	}
	var missing []string
	for _, c := range needed {
		if data[c.bit/32].Effective>>(c.bit%32)&1 == 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("permissions: user %d: lacks %s: start as root, or with these capabilities, as deploy/sluiced.service does",
		os.Geteuid(), strings.Join(missing, " and "))
}
