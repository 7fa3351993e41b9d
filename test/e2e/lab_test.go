package e2e

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/test/namespace"
)

// patience bounds every wait for something that has to come. Nothing is
// measured by it: on a busy machine all may take long.
const patience = 20 * time.Second

// lab is a set of namespaces made by scripts/lab.sh.
type lab struct {
	t       *testing.T
	id      string
	variant string // of lab.sh
	dir     string // configuration, control socket, logs
	n       int    // daemons launched
	port    int    // the client's next, of those that getMany chooses
}

var labs atomic.Uint32

// newLab makes a lab for a test, which runs beside others from here on: tests
// mostly wait.
func newLab(t *testing.T) *lab {
	t.Helper()
	needRoot(t)
	t.Parallel()
	return anotherLab(t)
}

// anotherLab makes a lab that goes with the test, or with the process if that is
// killed.
func anotherLab(t *testing.T) *lab {
	t.Helper()
	return variantLab(t, "one-arm")
}

// variantLab makes one of a variant of lab.sh.
func variantLab(t *testing.T, variant string) *lab {
	t.Helper()
	id := fmt.Sprintf("e%sx%d", strconv.FormatInt(int64(os.Getpid()), 36), labs.Add(1))
	l := &lab{t: t, id: id, variant: variant, dir: filepath.Join("/run/sluice-lab", id)}
	t.Cleanup(func() { l.script("down", id) })
	l.script("up", id, variant)
	return l
}

// script runs scripts/lab.sh.
func (l *lab) script(args ...string) string {
	l.t.Helper()
	cmd := exec.Command(filepath.Join(root, "scripts/lab.sh"), args...)
	cmd.Env = append(os.Environ(), "SLUICE_LAB_OWNER="+strconv.Itoa(os.Getpid()))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(l.t, err, "lab.sh %s: %s", args, &stderr)
	return string(out)
}

var addresses sync.Map // variant, name, family to netip.Addr: the same in every lab

// addr is the IPv4 address that lab.sh knows by a name.
func (l *lab) addr(name string) netip.Addr {
	l.t.Helper()
	return l.address(name, "4")
}

// address is one that lab.sh knows by a name, of family 4 or 6.
func (l *lab) address(name, family string) netip.Addr {
	l.t.Helper()
	key := l.variant + " " + name + " " + family
	if a, ok := addresses.Load(key); ok {
		return a.(netip.Addr)
	}
	a, err := netip.ParseAddr(strings.TrimSpace(l.script("addr", l.id, name, family)))
	require.NoError(l.t, err)
	addresses.Store(key, a)
	return a
}

// ns is the name of a host's network namespace.
func (l *lab) ns(host string) string { return "sl-" + l.id + "-" + host }

// command prepares a command on a host, which ends with the test at the latest.
func (l *lab) command(host string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithCancel(context.Background())
	l.t.Cleanup(cancel)
	return exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", l.ns(host)}, args...)...)
}

// run runs a command on a host that has to succeed, and returns what it prints.
func (l *lab) run(host string, args ...string) string {
	l.t.Helper()
	out, err := l.command(host, args...).CombinedOutput()
	require.NoError(l.t, err, "%s: %s: %s", host, args, out)
	return string(out)
}

// in calls f on a thread that is in the namespace of a host: sockets that f
// opens are the host's for good.
func (l *lab) in(host string, f func() error) {
	l.t.Helper()
	require.NoError(l.t, namespace.Do(l.ns(host), f))
}

// mac is the link address of a host's eth0.
func (l *lab) mac(host string) (mac net.HardwareAddr) {
	l.t.Helper()
	l.in(host, func() error {
		link, err := net.InterfaceByName("eth0")
		if err == nil {
			mac = link.HardwareAddr
		}
		return err
	})
	return mac
}

// fingerprint is everything that a daemon could leave behind.
func (l *lab) fingerprint() string { return l.script("fingerprint", l.id) }

// eventually waits until ok; what says for what.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "waited in vain: %s", what)
	}
}
