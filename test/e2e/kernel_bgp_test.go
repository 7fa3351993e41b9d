package e2e

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// bird runs the real one on a host; birdc asks it.
func (l *lab) bird(host, config string) *process {
	l.t.Helper()
	file := l.write(host+"-bird.conf", "log stderr all;\nprotocol device { scan time 1; }\n"+config)
	return l.spawn(host, host+"-bird", "bird", "-f", "-c", file, "-s", filepath.Join(l.dir, host+"-bird.ctl"),
		"-P", filepath.Join(l.dir, host+"-bird.pid"))
}

func (l *lab) birdc(host string, command ...string) string {
	l.t.Helper()
	out, _ := l.command(host, append([]string{"birdc", "-s", filepath.Join(l.dir, host+"-bird.ctl")}, command...)...).CombinedOutput()
	return string(out)
}

// bgpUp says whether a host's session is established.
func (l *lab) bgpUp(host string) bool {
	return strings.Contains(l.birdc(host, "show", "protocols", "bgp1"), "Established")
}

// sessionOf is the TCP connection of BGP, told from a later one by its ports.
func (l *lab) sessionOf(host string) string {
	for line := range strings.Lines(l.run(host, "ss", "-Htn", "state", "established")) {
		if f := strings.Fields(line); len(f) == 4 && (strings.HasSuffix(f[2], ":179") || strings.HasSuffix(f[3], ":179")) {
			return f[2] + " " + f[3]
		}
	}
	return ""
}

// A router beside the client learns where virtual addresses are by BGP from BIRD
// on the gateway, which speaks through the twin. With keep_twins the session
// outlives the daemon: neither side notices that it was restarted, or killed.
func TestBGPSessionSurvivesRestart(t *testing.T) {
	l := newLab(t)
	l.join("router", "10.0.0.50/24")
	keep := setup{Config: with(port("addresses", []string{"10.0.0.1/24"}), "kernel.keep_twins", true)}
	before := l.fingerprint()
	d := l.start(keep)
	s := l.service("fullnat", "tcp", "rs1", "rs2")
	s.Address = "192.0.2.80" // nobody's neighbor: found by its route alone
	key := d.put(s)
	// A kept twin has no carrier while nobody is behind it: that is no reason to
	// end the session ("check link").
	l.bird("gw", `
router id 10.0.0.1;
protocol direct { ipv4; interface "sl-lan"; }
protocol bgp bgp1 { local 10.0.0.1 as 65001; neighbor 10.0.0.50 as 65002; check link no; hold time 240; connect delay time 1;
	ipv4 { import none; export where net.len = 32; next hop self; }; }
`)
	l.bird("router", `
router id 10.0.0.50;
protocol kernel { ipv4 { export all; }; }
protocol bgp bgp1 { local 10.0.0.50 as 65002; neighbor 10.0.0.1 as 65001; hold time 240; connect delay time 1;
	ipv4 { import all; export none; }; }
`)
	eventually(t, "the session is established", func() bool { return l.bgpUp("gw") && l.bgpUp("router") })
	reach := func(mark string) {
		t.Helper()
		eventually(t, "the route arrives", func() bool {
			return strings.Contains(l.run("router", "ip", "route"), key.Address.String()+" via 10.0.0.1")
		})
		out, err := l.command("router", append(curl, url(key, mark))...).CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Contains(t, []string{"rs1", "rs2"}, strings.TrimSpace(string(out)))
	}
	reach("before")
	session := l.sessionOf("gw")
	require.NotEmpty(t, session)
	since := uptime(l.birdc("router", "show", "protocols", "bgp1"))

	for _, end := range []string{"stopped", "killed"} {
		if end == "killed" {
			d.kill()
		} else {
			require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
			<-d.ended
			assert.Zero(t, d.cmd.ProcessState.ExitCode())
		}
		assert.Contains(t, l.run("gw", "ip", "-o", "address", "show", "dev", "sl-lan"), "10.0.0.1/24")
		assert.Contains(t, l.run("gw", "nft", "list", "tables"), "sluice-eth0", "the device stays silenced")
		time.Sleep(300 * time.Millisecond) // a restart takes time
		keep.Config["services"] = []api.Service{s}
		d = l.start(keep)
		reach(end)
		assert.Equal(t, session, l.sessionOf("gw"), "%s: the same TCP connection", end)
		assert.Equal(t, since, uptime(l.birdc("router", "show", "protocols", "bgp1")), "%s: the same session", end)
	}
	require.NoError(t, d.cmd.Process.Signal(syscall.SIGTERM))
	<-d.ended
	l.run("gw", program("sluiced"), "clean", "--config", l.config(keep.Config))
	assert.Equal(t, before, l.fingerprint(), "after sluiced clean")
	assert.NoDirExists(t, filepath.Join(l.dir, "run"))
}

// uptime is since when BIRD has had a session.
func uptime(protocols string) string {
	found := regexp.MustCompile(`bgp1\s+BGP\s+\S+\s+up\s+(\S+)`).FindStringSubmatch(protocols)
	if found == nil {
		return fmt.Sprint("no session: ", protocols)
	}
	return found[1]
}
