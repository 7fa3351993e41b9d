package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// sysctlRoot shows the namespace of whoever opens a file below it.
const sysctlRoot = "/proc/sys/net"

// redirects is ORed by the kernel with each interface's own value, so as long
// as it is 1 a 0 on the twin means nothing.
const redirects = "ipv4/conf/all/send_redirects"

// twinSysctls are set on each twin. They vanish with it.
var twinSysctls = []struct{ file, value string }{
	// Replies may come in where requests do not go out. Loose and not off: the
	// kernel takes the maximum of this and "all", and 2 beats a strict 1 there.
	{"ipv4/conf/%s/rp_filter", "2"},
	// Each port answers for its own addresses only, and asks with the address of
	// the subnet that it asks in, never with a virtual one.
	{"ipv4/conf/%s/arp_ignore", "1"},
	{"ipv4/conf/%s/arp_announce", "2"},
	// What enters and leaves by the same port is our trade, not a detour.
	{"ipv4/conf/%s/send_redirects", "0"},
	// A port without carrier attracts nothing.
	{"ipv4/conf/%s/ignore_routes_with_linkdown", "1"},
	{"ipv6/conf/%s/ignore_routes_with_linkdown", "1"},
	// Several gateways hold the same virtual address on purpose, and a tentative
	// address would not answer during the first second.
	{"ipv6/conf/%s/accept_dad", "0"},
	{"ipv6/conf/%s/keep_addr_on_down", "1"},
}

func setTwinSysctls(name string) error {
	for _, s := range twinSysctls {
		err := writeSysctl(fmt.Sprintf(s.file, name), s.value)
		if err != nil && !(noSuchFile(err) && strings.HasPrefix(s.file, "ipv6/")) {
			return err
		}
	}
	return nil
}

// readSysctl reads a file below /proc/sys/net.
func readSysctl(file string) (string, error) {
	value, err := os.ReadFile(filepath.Join(sysctlRoot, file))
	if err != nil {
		return "", fmt.Errorf("read sysctl: net/%s: %w", file, err)
	}
	return strings.TrimSpace(string(value)), nil
}

// writeSysctl writes a file below /proc/sys/net.
func writeSysctl(file, value string) error {
	if err := os.WriteFile(filepath.Join(sysctlRoot, file), []byte(value), 0); err != nil {
		return fmt.Errorf("set sysctl: net/%s=%s: %w: let this process write below /proc/sys/net (in a container: see the Dockerfile)", file, value, err)
	}
	return nil
}

func disableIPv6File(device string) string { return "ipv6/conf/" + device + "/disable_ipv6" }

// noSuchFile tells a missing interface, or a kernel without IPv6, from failure.
func noSuchFile(err error) bool { return errors.Is(err, fs.ErrNotExist) }
