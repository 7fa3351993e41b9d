package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// port is the lab's port, with one key changed.
func port(key string, value any) map[string]any {
	p := map[string]any{"name": "lan", "device": "net_af_packet0,iface=eth0", "twin": "sl-lan", "addresses": []string{"10.0.0.1/24"}}
	p[key] = value
	return map[string]any{"ports": []any{p}}
}

// Whatever is wrong is said in one line, with the value and what to do, and
// nothing is left of the attempt.
func TestStartErrorsTeach(t *testing.T) {
	l := newLab(t)
	before := l.fingerprint()
	file := filepath.Join(l.dir, "sluice-")
	for name, c := range map[string]struct {
		setup setup
		says  []string
	}{
		"unknown key":         {setup{Config: map[string]any{"bogus": 1}}, []string{file, "bogus", "unknown key", "known are"}},
		"unknown key within":  {setup{Config: map[string]any{"workers.bogus": 1}}, []string{file, "workers", "bogus", "unknown key", "deploy/sluice.yaml"}},
		"unknown key of port": {setup{Config: port("twim", "x")}, []string{file, "ports[0]", "twim", "unknown key"}},
		"bad address":         {setup{Config: port("addresses", []string{"10.0.0.300/24"})}, []string{file, "ports[0].addresses[0]", "10.0.0.300/24"}},
		"bad number":          {setup{Config: map[string]any{"workers.flows": "many"}}, []string{file, "workers.flows"}},
		"out of range":        {setup{Config: map[string]any{"workers.flows": 3}}, []string{file, "workers.flows: 3", "use 16 to"}},
		"bad level":           {setup{Config: map[string]any{"log.level": "loud"}}, []string{file, "log.level", "loud", "debug, info, warn or error"}},
		"no port":             {setup{Config: map[string]any{"ports": nil}}, []string{file, "ports", "no port", "name at least one device"}},
		"missing interface":   {setup{Config: port("device", "net_af_packet0,iface=eth7")}, []string{"ports[0] (lan)", "eth7", "ip link"}},
		"unknown driver":      {setup{Config: port("device", "net_nonsense0")}, []string{"ports[0] (lan)", "net_nonsense0", "check driver name"}},
		"twin's name taken":   {setup{Config: port("twin", "lo")}, []string{"twin", "lo", "set another name"}},
		"interface as twin":   {setup{Config: port("twin", "eth0")}, []string{"ports[0].twin", "eth0", "set another name"}},
		"no such core":        {setup{Config: map[string]any{"workers.cores": []int{777}}}, []string{"777", "choose one of"}},
		"too much memory":     {setup{Config: map[string]any{"eal.memory_mb": 1 << 20}}, []string{"1048576 MiB", "available", "lower it"}},
		"foreign address":     {setup{Config: map[string]any{"metrics.listen": "192.0.2.77:9105"}}, []string{"metrics.listen", "192.0.2.77:9105", "choose another address"}},
		"bad service": {setup{Config: map[string]any{"services": []any{map[string]any{"protocol": "tcp", "address": "10.0.0.100", "port": 80, "mode": "fullnut"}}}},
			[]string{"services[0].mode", "fullnut", "use dr"}},
		"missing file":           {setup{Args: []string{"--config", "/nonexistent/sluice.yaml"}}, []string{"/nonexistent/sluice.yaml", "no such file", "--config"}},
		"unknown flag":           {setup{Args: []string{"--bogus"}}, []string{"--bogus", "unknown flag"}},
		"bad flag":               {setup{Args: []string{"--log-level", "loud"}}, []string{"log.level", "loud"}},
		"bad number as flag":     {setup{Args: []string{"--workers-flows", "many"}}, []string{"--workers-flows", "many", "give digits"}},
		"bad in the environment": {setup{Env: []string{"SLUICE_WORKERS_IDLE=nap"}}, []string{"workers.idle", "nap", "use spin"}},
	} {
		t.Run(name, func(t *testing.T) {
			says := l.fail(c.setup)
			for _, part := range append(c.says, "sluiced: ") {
				assert.Contains(t, says, part)
			}
			assert.Equal(t, 1, strings.Count(says, "\n"), "one message: %s", says)
			assert.Equal(t, before, l.fingerprint())
			assert.NoDirExists(t, filepath.Join(l.dir, "run"))
		})
	}
}

// Hosts without IPv6 are common, and the kernel says no more of it than that the
// permission is missing.
func TestIPv6SwitchedOff(t *testing.T) {
	l := newLab(t)
	l.run("gw", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
	says := l.fail(setup{})
	for _, part := range []string{l.address("gw", "6").String(), "sl-lan", "IPv6 is switched off", "net.ipv6.conf.sl-lan.disable_ipv6=0"} {
		assert.Contains(t, says, part)
	}
	d := l.start(setup{Config: port("twin", "sl-lan")})
	key := d.add("fullnat", "tcp", "rs1")
	_, says, code := d.sluicectl("service", "add", "tcp:[fd00:51::100]:80", "--mode", "dr")
	assert.Equal(t, 1, code)
	assert.Contains(t, says, "the change is in force, but not all addresses are")
	assert.Contains(t, says, "IPv6 is switched off")
	assert.NotContains(t, d.logText(), "refused")
	assert.Equal(t, map[string]int{"rs1": 5}, l.getMany(5, key, "still"))
	_, _, code = d.sluicectl("service", "remove", "tcp:[fd00:51::100]:80")
	assert.Zero(t, code)
	d.stop()
}

func TestStartWithoutRootSaysSo(t *testing.T) {
	l := newLab(t)
	before := l.fingerprint()
	mine := filepath.Join(l.dir, "nobody")
	require.NoError(t, os.Mkdir(mine, 0o755))
	require.NoError(t, os.Chown(mine, 65534, 65534))
	for name, dir := range map[string]string{"root's directory": l.dir, "directory of its own": mine} {
		t.Run(name, func(t *testing.T) {
			file := l.config(map[string]any{"run_dir": dir + "/run", "control.socket": dir + "/control.sock"})
			says := failing(t, l.command("gw", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
				program("sluiced"), "--config", file))
			assert.Contains(t, says, "root")
			assert.Equal(t, 1, strings.Count(says, "\n"), "one message: %s", says)
			assert.Equal(t, before, l.fingerprint())
			assert.NoFileExists(t, dir+"/control.sock")
			assert.NoDirExists(t, dir+"/run")
		})
	}
}

// check reads a file as the daemon would, and needs neither root nor a device.
func TestCheckJudgesAConfiguration(t *testing.T) {
	l := newLab(t)
	check := func(changes map[string]any) *exec.Cmd {
		return exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program("sluiced"), "check", l.config(changes))
	}
	service := l.service("fullnat", "tcp", "rs1")
	cmd := check(map[string]any{"services": []any{service}})
	out, err := cmd.Output()
	require.NoError(t, err)
	assert.Equal(t, cmd.Args[len(cmd.Args)-1]+": good: 1 ports, 1 workers, 1 services\n", string(out))

	service.Scheduler = "round"
	for want, changes := range map[string]map[string]any{
		"services[0].scheduler: round": {"services": []any{service}},
		"workers.idle":                 {"workers.idle": "nap"},
	} {
		cmd := check(changes)
		says := failing(t, cmd)
		assert.Contains(t, says, want)
		assert.Contains(t, says, cmd.Args[len(cmd.Args)-1])
	}
}

func TestEnvironmentAndFlagsOverrideTheFile(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{Env: []string{"SLUICE_LOG_LEVEL=debug", "SLUICE_LOG_FORMAT=json", "SLUICE_WORKERS_FLOWS=2048"}})
	max := d.status().FlowsMax // IPv6 flows included
	assert.Less(t, max, uint64(65536), "the environment wins over the file")
	log, err := os.ReadFile(d.log)
	require.NoError(t, err)
	assert.Contains(t, string(log), `"msg":"ready"`)
	d.stop()

	d = l.start(setup{Env: []string{"SLUICE_WORKERS_FLOWS=2048", "SLUICE_LOG_LEVEL=error"}, Args: []string{"--workers-flows", "4096"}})
	assert.Equal(t, max+4096-2048, d.status().FlowsMax, "flags win over the environment")
	log, err = os.ReadFile(d.log)
	require.NoError(t, err)
	assert.Empty(t, string(log))
	d.stop()
}
