package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// both makes a daemon's twin have addresses of both families.
func both() map[string]any { return port("addresses", []string{"10.0.0.1/24", "fd00:51::1/64"}) }

// with adds to a configuration.
func with(config map[string]any, key string, value any) map[string]any {
	config[key] = value
	return config
}

// join makes another host on the lab's switch; it goes with the lab.
func (l *lab) join(host string, addresses ...string) {
	l.t.Helper()
	for _, args := range [][]string{
		{"netns", "add", l.ns(host)},
		{"-n", l.ns(host), "link", "set", "lo", "up"},
		{"link", "add", "name", host + "-eth0", "netns", l.ns("lan"), "type", "veth", "peer", "name", "eth0", "netns", l.ns(host)},
		{"-n", l.ns("lan"), "link", "set", host + "-eth0", "master", "lan", "up"},
		{"-n", l.ns(host), "link", "set", "eth0", "up"},
	} {
		out, err := exec.Command("ip", args...).CombinedOutput()
		require.NoError(l.t, err, "ip %s: %s", args, out)
	}
	l.run("lan", "ethtool", "-K", host+"-eth0", "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
	l.run(host, "ethtool", "-K", "eth0", "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")
	l.run(host, "sysctl", "-q", "-w", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv4.conf.eth0.rp_filter=0")
	for _, a := range addresses {
		l.run(host, "ip", "address", "add", a, "dev", "eth0", "nodad")
	}
}

// process is a program that runs on a host beside the daemon.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   string // file
	ended chan struct{}
}

// spawn starts one, which ends with the test; its output is shown if that fails.
func (l *lab) spawn(host, name string, args ...string) *process {
	l.t.Helper()
	p := &process{t: l.t, cmd: l.command(host, args...), log: filepath.Join(l.dir, name+".log"), ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	log, err := os.Create(p.log)
	require.NoError(l.t, err)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	require.NoError(l.t, p.cmd.Start())
	require.NoError(l.t, log.Close())
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	l.t.Cleanup(func() {
		p.stop()
		if l.t.Failed() {
			l.t.Logf("%s:\n%s", p.log, p.output())
		}
	})
	l.n++
	l.record(p.cmd.Process.Pid)
	return p
}

// stop ends the process politely; it may have ended.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // its session
		<-p.ended
	}
}

func (p *process) output() string {
	text, err := os.ReadFile(p.log)
	require.NoError(p.t, err)
	return string(text)
}

// write makes a file in the lab's directory.
func (l *lab) write(name, text string) string {
	l.t.Helper()
	file := filepath.Join(l.dir, name)
	require.NoError(l.t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// gateway starts a daemon on another host than the lab's gateway, with files of
// its own. It is stopped by its test, or killed.
func (l *lab) gateway(host string, config map[string]any) *daemon {
	l.t.Helper()
	dir := filepath.Join(l.dir, host)
	require.NoError(l.t, os.MkdirAll(dir, 0o755))
	config["run_dir"], config["control.socket"] = filepath.Join(dir, "run"), filepath.Join(dir, "control.sock")
	config["eal.prefix"] = host + "-of-" + l.id
	d := &daemon{t: l.t, lab: l, ended: make(chan struct{})}
	d.Socket = filepath.Join(dir, "control.sock")
	p := l.spawn(host, host+"-sluiced", program("sluiced"), "--config", l.config(config))
	d.cmd, d.log, d.ended = p.cmd, p.log, p.ended
	l.t.Cleanup(d.Close)
	eventually(l.t, "the daemon of "+host+" answers", func() bool {
		require.True(l.t, d.running(), "sluiced on %s ended: %v", host, d.cmd.ProcessState)
		_, err := d.Status(ctx)
		return err == nil
	})
	return d
}

// put makes a service as it is.
func (d *daemon) put(s api.Service) api.Key {
	d.t.Helper()
	_, err := d.PutService(ctx, s, nil)
	require.NoError(d.t, err)
	key, err := s.Key()
	require.NoError(d.t, err)
	return key
}

// neighbor is the link address by which a host sends to another, empty when it
// does not know.
func (l *lab) neighbor(host string, addr netip.Addr) string {
	fields := strings.Fields(l.run(host, "ip", "neighbor", "show", addr.String(), "dev", "eth0"))
	for i, f := range fields {
		if f == "lladdr" {
			return fields[i+1]
		}
	}
	return ""
}

// counter is a field of a host's /proc/net/snmp, as Ip ForwDatagrams.
func (l *lab) counter(host, protocol, field string) (value int) {
	l.t.Helper()
	var names []string
	for line := range strings.Lines(l.run(host, "cat", "/proc/net/snmp")) {
		fields := strings.Fields(line)
		if fields[0] != protocol+":" {
			continue
		}
		for i, name := range names {
			if name == field {
				value, _ = strconv.Atoi(fields[i])
				return value
			}
		}
		names = fields
	}
	l.t.Fatalf("%s has no counter %s %s", host, protocol, field)
	return 0
}
