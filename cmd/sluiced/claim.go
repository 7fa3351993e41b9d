package main

import (
	"errors"
	"fmt"
	"net"
	"os"
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

// checkInterfaces refuses two ports on one interface, which would get every frame
// twice, and a twin that has an interface's name.
func checkInterfaces(c *config.Config) error {
	var errs []error
	port := map[string]int{} // by interface
	for i, p := range c.Ports {
		for _, name := range dpdk.Interfaces(p.Device) {
			if first, taken := port[name]; taken {
				errs = append(errs, fmt.Errorf("ports[%d].device: %s: interface %s is ports[%d]'s already, and both would get its frames: choose another",
					i, p.Device, name, first))
				continue
			}
			port[name] = i
		}
	}
	for i, p := range c.Ports {
		if of, taken := port[p.Twin]; taken {
			errs = append(errs, fmt.Errorf("ports[%d].twin: %s: is the interface of ports[%d]: set another name", i, p.Twin, of))
		}
	}
	return errors.Join(errs...)
}

// claim claims the interfaces under all ports, or none.
func claim(c *config.Config) (held claims, err error) {
	for i, p := range c.Ports {
		for _, device := range dpdk.Interfaces(p.Device) {
			l, err := net.Listen("unix", claimName(device))
			if errors.Is(err, unix.EADDRINUSE) {
				err = fmt.Errorf("%s has it: stop that first, or choose another device", holder(device))
			}
			if err != nil {
				return nil, errors.Join(fmt.Errorf("ports[%d] (%s): claim interface: %s: %w", i, p.Name, device, err), held.release())
			}
			held = append(held, l)
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
