package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/test/namespace"
)

// lab is the namespaces that scripts/lab.sh has made.
type lab struct {
	id, root, dir string
	addrs         map[string]netip.Addr // by name and family, as "rs1 6"
}

// openLab asks lab.sh for the addresses.
func openLab(id, root string) (*lab, error) {
	l := &lab{id: id, root: root, dir: filepath.Join("/run/sluice-lab", id), addrs: map[string]netip.Addr{}}
	for _, name := range []string{"client", "gw", "gw-back", "rs1", "rs2", "local", "vip-dr", "vip-nat", "vip-fullnat", "vip-tun", "vip-mixed"} {
		for _, family := range []string{"4", "6"} {
			out, err := l.script("addr", id, name, family)
			if err != nil {
				return nil, err
			}
			addr, err := netip.ParseAddr(strings.TrimSpace(out))
			if err != nil {
				return nil, fmt.Errorf("address of %s: %w", name, err)
			}
			l.addrs[name+" "+family] = addr
		}
	}
	return l, nil
}

func (l *lab) addr(name, family string) netip.Addr { return l.addrs[name+" "+family] }

func (l *lab) ns(host string) string { return "sl-" + l.id + "-" + host }

// script runs scripts/lab.sh.
func (l *lab) script(args ...string) (string, error) {
	return output(exec.Command(filepath.Join(l.root, "scripts/lab.sh"), args...))
}

// ip runs ip on a host.
func (l *lab) ip(host string, args ...string) (string, error) {
	return output(exec.Command("ip", append([]string{"-n", l.ns(host)}, args...)...))
}

func output(cmd *exec.Cmd) (string, error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return string(out), err
}

// in calls f on a thread that is in the namespace of a host: sockets that f
// opens are the host's for good.
func (l *lab) in(host string, f func() error) error {
	return namespace.Do(l.ns(host), f)
}

// serveAll starts TCP echo servers on both real servers, for the sites that have
// these ports.
func (l *lab) serveAll() error {
	for _, host := range []string{"rs1", "rs2"} {
		for _, port := range []int{longPort, modePort, localPort, gonePort} {
			err := l.in(host, func() error {
				listener, err := silently.Listen(context.Background(), "tcp", fmt.Sprintf(":%d", port))
				if err == nil {
					go serve(listener)
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("echo server on %s: %w", host, err)
			}
		}
	}
	return nil
}

// silently: no keepalives. They would keep the flows of silent connections alive; and
// a server probes a client that is gone for 135 s, longer than settleTime, whose
// resets a cut connection's flow may not see.
var silently = net.ListenConfig{KeepAlive: -1}

// forgotten is how long a server waits for a client that says nothing.
const forgotten = time.Minute

// echoed is a connection whose reader gives up in the end.
type echoed struct{ net.Conn }

func (c echoed) Read(b []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(forgotten)); err != nil {
		return 0, err
	}
	return c.Conn.Read(b)
}

// serve sends back what comes.
func serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, "soak: echo server:", err)
			return
		}
		go func() { _, _ = io.Copy(conn, echoed{conn}); conn.Close() }()
	}
}
