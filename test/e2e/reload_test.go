package e2e

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// file is the daemon's configuration file.
func (d *daemon) file() string {
	return d.cmd.Args[slices.Index(d.cmd.Args, "--config")+1]
}

// rewrite replaces the daemon's configuration file.
func (d *daemon) rewrite(changes map[string]any) {
	d.t.Helper()
	text, err := os.ReadFile(d.lab.config(changes))
	require.NoError(d.t, err)
	require.NoError(d.t, os.WriteFile(d.file(), text, 0o644))
}

func (d *daemon) logText() string {
	d.t.Helper()
	text, err := os.ReadFile(d.log)
	require.NoError(d.t, err)
	return string(text)
}

// manager plays the service manager's side of sd_notify.
type manager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func (l *lab) manager() *manager {
	path := filepath.Join(l.dir, "notify.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(l.t, err)
	l.t.Cleanup(func() { conn.Close() })
	return &manager{l.t, path, conn}
}

// hears waits for a message that begins with a word, passing over life signs
// unless those are meant.
func (m *manager) hears(word string) string {
	m.t.Helper()
	require.NoError(m.t, m.conn.SetReadDeadline(time.Now().Add(patience)))
	for buffer := make([]byte, 4096); ; {
		n, err := m.conn.Read(buffer)
		require.NoError(m.t, err, "waited for %s", word)
		text := string(buffer[:n])
		if strings.HasPrefix(text, word) {
			return text
		}
		require.Equal(m.t, "WATCHDOG=1", text, "while waiting for %s", word)
	}
}

// SIGHUP makes the services those of the file, all at once, under load; a file
// with a mistake changes nothing; the service manager can follow all of it.
func TestReloadUnderLoad(t *testing.T) {
	l := newLab(t)
	m := l.manager()
	first := l.service("fullnat", "tcp", "rs1")
	key, err := first.Key()
	require.NoError(t, err)
	gone := l.service("dr", "udp", "rs1")
	d := l.start(setup{Config: map[string]any{"services": []any{first, gone}},
		Env: []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=600000"}})
	m.hears("READY=1")
	m.hears("WATCHDOG=1")
	m.hears("WATCHDOG=1")
	transfers := l.transfers(12, key, "slow/1m.bin")
	eventually(t, "12 transfers run", func() bool { return d.established(netip.AddrPort{}) == 12 })

	before := d.status().Revision
	d.rewrite(map[string]any{"services": []any{l.service("fullnat", "tcp", "rs2", "rs1")}, "workers.flows": 4096, "log.format": "json"})
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGHUP))
	assert.Regexp(t, `^RELOADING=1\nMONOTONIC_USEC=\d+$`, m.hears("RELOADING=1"))
	m.hears("READY=1")
	list, err := d.Services(ctx)
	require.NoError(t, err)
	require.Len(t, list.Services, 1)
	assert.Len(t, list.Services[0].Backends, 2)
	assert.Equal(t, before+1, list.Revision, "one change")
	assert.Contains(t, d.logText(), "needs a restart: workers.flows")
	assert.Contains(t, d.logText(), "needs a restart: log.format")
	assert.Equal(t, map[string]int{"rs1": 5, "rs2": 5}, l.getMany(10, key, "reloaded"))

	bad := l.service("fullnat", "tcp", "rs1")
	bad.Scheduler = "round"
	d.rewrite(map[string]any{"services": []any{bad}, "workers.flows": "many"})
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGHUP))
	m.hears("RELOADING=1")
	m.hears("READY=1")
	assert.Equal(t, 2, strings.Count(d.logText(), "reload refused"), "a line each")
	_, says, code := d.sluicectl("reload")
	m.hears("RELOADING=1")
	m.hears("READY=1")
	assert.Equal(t, 1, code)
	assert.Contains(t, says, d.file()+": services[0].scheduler: round: unknown scheduler")
	assert.Contains(t, says, d.file()+": workers.flows: many: no whole number")
	after, err := d.Services(ctx)
	require.NoError(t, err)
	assert.Equal(t, list, after)

	d.rewrite(nil) // no list of services
	out, _, code := d.sluicectl("reload")
	m.hears("RELOADING=1")
	m.hears("READY=1")
	assert.Zero(t, code)
	assert.Contains(t, out, "those there are stay")
	after, err = d.Services(ctx)
	require.NoError(t, err)
	assert.Equal(t, list, after)

	assert.Equal(t, 12, d.established(d.backend(key, "rs1")), "all still run: the reloads happened under them")
	l.finish(transfers)
	d.quiet()
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
	m.hears("STOPPING=1")
	<-d.ended
	assert.Zero(t, d.cmd.ProcessState.ExitCode())
	assert.Equal(t, d.before, l.fingerprint())
}

// With external VIPs the daemon answers for local addresses only.
func TestExternalVIPs(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{Config: map[string]any{"kernel.vips": "external"}})
	key := d.add("fullnat", "tcp", "rs1")
	addresses := l.run("gw", "ip", "-o", "address", "show", "dev", "sl-lan")
	assert.NotContains(t, addresses, key.Address.String()+"/")
	assert.Contains(t, addresses, l.addr("local").String()+"/32")

	vip := key.Address.String() + "/32"
	l.run("gw", "ip", "address", "add", vip, "dev", "sl-lan") // as keepalived would
	server, err := l.get(key, "external")
	require.NoError(t, err)
	assert.Equal(t, "rs1", server)
	d.add("fullnat", "tcp", "rs1", "rs2")
	_, err = d.DeleteService(ctx, key, nil)
	require.NoError(t, err)
	assert.Contains(t, l.run("gw", "ip", "-o", "address", "show", "dev", "sl-lan"), vip, "not ours to take away")
	d.stop()
}

// All that is wrong is said at once, a line each, with the file in front.
func TestStartSaysAllThatIsWrong(t *testing.T) {
	l := newLab(t)
	before := l.fingerprint()
	service := l.service("fullnat", "tcp", "rs1")
	six := api.Service{Protocol: "tcp", Address: "2001:db8::1", Port: 80, Mode: "nat", Backends: []api.Backend{{Address: "10.0.0.11"}}}
	says := l.fail(setup{Config: map[string]any{
		"workers.cores": []int{0, 0}, "eal.main_core": 4000, "bogus": 1, "log.level": "loud",
		"services": []any{service, six, service},
	}})
	for _, part := range []string{"workers.cores: 0: core used twice", "eal.main_core: 4000: out of range", "bogus: unknown key", `log.level: "loud": unknown`,
		"services[1].backends[0].address: 10.0.0.11: not of the virtual address's family: mode nat works within IPv4 or within IPv6",
		"services[2]: tcp:" + service.Address + ":80: the same as services[0]"} {
		assert.Contains(t, says, part)
	}
	lines := strings.Split(strings.TrimSpace(says), "\n")
	assert.Len(t, lines, 6, says)
	for _, line := range lines {
		assert.True(t, strings.HasPrefix(line, "sluiced: "+l.dir+"/sluice-"), line)
	}

	says = l.fail(setup{Config: map[string]any{"workers.idle": "spin", "eal.main_core": 1, "workers.cores": []int{1}}})
	assert.Contains(t, says, "workers.cores: 1: is eal.main_core")
	says = l.fail(setup{Config: port("device", "0000:7f:1f.7")})
	assert.Contains(t, says, "ports[0] (lan): attach PCI device: 0000:7f:1f.7: this machine has none of that address")
	says = l.fail(setup{Config: map[string]any{"workers.cores": []int{0, 1}}})
	assert.Contains(t, says, "net_af_packet0,iface=eth0 has 1: add qpairs=2")
	says = l.fail(setup{Config: map[string]any{"eal.memory_mb": 64, "eal.mbufs": 60000}})
	assert.Contains(t, says, "eal.mbufs: 60000: ")
	assert.Contains(t, says, "eal.memory_mb")
	assert.Equal(t, before, l.fingerprint())
}

// The socket and lock of a daemon that was killed are in nobody's way.
func TestStaleSocketIsReplaced(t *testing.T) {
	l := newLab(t)
	first := l.start(setup{})
	first.kill()
	require.FileExists(t, first.Socket)
	second := l.start(setup{})
	second.before = first.before
	second.stop()
}
