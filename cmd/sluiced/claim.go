package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/dpdk"
)

// claims keep other daemons away from the kernel interfaces under our ports:
// whichever ended first would let the kernel answer again where the other still
// forwards. A claim is an abstract Unix socket with the interface's name. Such
// sockets are of one network namespace, as interfaces are, need no directory
// that all daemons agree on, and go with their process, however that ends.
type claims []net.Listener

// claim claims the interfaces under all ports, or none.
func claim(c *config.Config) (held claims, err error) {
	var mine []string // two of our own ports on one interface are dpdk's to refuse
	for i, p := range c.Ports {
		for _, device := range dpdk.Interfaces(p.Device) {
			if slices.Contains(mine, device) {
				continue
			}
			l, err := net.Listen("unix", claimName(device))
			if errors.Is(err, unix.EADDRINUSE) {
				err = fmt.Errorf("%s has it: stop that first, or choose another device", holder(device))
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("ports[%d] (%s): claim interface: %s: %w", i, p.Name, device, err), held.release())
			}
			mine, held = append(mine, device), append(held, l)
		}
	}
	return held, nil
}

func claimName(device string) string { return "@sluice/interface/" + device }

func (c claims) release() error {
	var failed []error
	for _, l := range c {
		failed = append(failed, l.Close())
	}
	return errors.Join(failed...)
}

// holder says which process has an interface, as far as it can be known: one in
// another process namespace has no number here.
func holder(device string) string {
	const unknown = "another process"
	conn, err := net.Dial("unix", claimName(device))
	if err != nil {
		return unknown // gone meanwhile
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return unknown
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(cred.Pid)
		}
	})
	if err != nil || pid == 0 {
		return unknown
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(name)))
}
