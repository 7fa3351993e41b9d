package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The gateway's own addresses and virtual ones answer ping in both families, once
// for each request; for IPv6 that needs neighbor discovery through the twin, both
// ways.
func TestPingOfBothFamilies(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{Config: both()})
	d.add("dr", "tcp", "rs1")
	s := l.service("fullnat", "tcp")
	s.Address, s.LocalAddresses = "fd00:51::100", []string{"fd00:51::2"}
	d.put(s)
	for _, addr := range []string{"10.0.0.1", "10.0.0.101", "fd00:51::1", "fd00:51::100", "fd00:51::2"} {
		l.run("client", "ip", "neighbor", "flush", "all")
		out := l.run("client", "ping", "-n", "-c", "5", "-i", "0.02", "-W", "10", addr)
		assert.Contains(t, out, "5 received", addr)
		assert.NotContains(t, out, "DUP!", addr)
		assert.Equal(t, l.mac("gw").String(), l.neighbor("client", netip.MustParseAddr(addr)), addr)
	}
	assert.Contains(t, l.run("gw", "ping", "-n", "-c", "2", "-i", "0.02", "-W", "10", "fd00:51::10"), "2 received", "and the other way round")
	d.stop()
}

// A login on the gateway by SSH, through the twin: more than a few packets each
// way, over both families.
func TestSSHThroughTwin(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{Config: both()})
	require.NoError(t, exec.Command("mkdir", "-p", "/run/sshd").Run()) // as Debian's unit does
	for _, name := range []string{"ssh-host", "ssh-user"} {
		l.run("client", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(l.dir, name))
	}
	config := l.write("sshd.conf", fmt.Sprintf(`
Port 2222
HostKey %[1]s/ssh-host
AuthorizedKeysFile %[1]s/ssh-user.pub
StrictModes no
UsePAM no
PidFile none
PermitRootLogin prohibit-password
`, l.dir))
	l.spawn("gw", "sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config)
	eventually(t, "sshd listens", func() bool { return strings.Contains(l.run("gw", "ss", "-Htln"), ":2222 ") })
	for _, addr := range []string{"10.0.0.1", "fd00:51::1"} {
		cmd := l.command("client", "ssh", "-F", "none", "-p", "2222", "-i", filepath.Join(l.dir, "ssh-user"), "-o", "BatchMode=yes",
			"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "root@"+addr, "sha256sum")
		text := strings.Repeat("a line that goes to the gateway\n", 1<<15)
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s: %s", addr, out)
		assert.Equal(t, fmt.Sprintf("%x  -\n", sha256.Sum256([]byte(text))), string(out), addr)
	}
	d.stop()
}
