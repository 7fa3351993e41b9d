package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sluice-lb/sluice/ctl/client"
	"github.com/sluice-lb/sluice/ctl/server"
	"github.com/sluice-lb/sluice/ctl/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell runs command lines against a real server.
type shell struct {
	t      *testing.T
	engine *servertest.Engine
}

func newShell(t *testing.T, engine *servertest.Engine) *shell {
	t.Setenv(client.SocketEnv, servertest.Start(t, engine, server.Options{}))
	return &shell{t, engine}
}

// run splits line at spaces.
func (s *shell) run(line, stdin string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = run(context.Background(), strings.Fields(line), strings.NewReader(stdin), &o, &e)
	return code, o.String(), e.String()
}

func (s *shell) ok(line, want string) {
	s.t.Helper()
	code, out, errOut := s.run(line, "")
	require.Equal(s.t, 0, code, errOut)
	require.Empty(s.t, errOut)
	require.Equal(s.t, strings.TrimPrefix(want, "\n"), out, line)
}

func (s *shell) fails(line string, code int, want string) {
	s.t.Helper()
	got, out, errOut := s.run(line, "")
	require.Equal(s.t, code, got, errOut)
	require.Empty(s.t, out, line)
	require.Contains(s.t, errOut, "sluicectl: "+want, line)
}

func TestServiceVerbs(t *testing.T) {
	s := newShell(t, &servertest.Engine{})
	s.ok("service list", "No services. Add one: sluicectl service add tcp:10.0.0.100:80 --mode fullnat --local 10.0.1.1\n")
	s.ok("service add tcp:10.0.0.100:80 --mode fullnat --local 10.0.1.1 --local 10.0.1.2", "service tcp:10.0.0.100:80 added\n")
	s.ok("service add udp:[2001:DB8::1]:53 --mode dr --scheduler rr", "service udp:[2001:db8::1]:53 added\n")
	s.ok("service add udp:[2001:db8::1]:53 --mode dr --scheduler rr", "service udp:[2001:db8::1]:53 exists already, unchanged\n")
	s.fails("service add udp:[2001:db8::1]:53 --mode tun", 1, "service add: udp:[2001:db8::1]:53: exists with other settings "+
		"(mode is dr, not tun, scheduler is rr, not wrr): change them with: sluicectl service set udp:[2001:db8::1]:53")
	s.ok("service list", `
SERVICE               MODE     SCHEDULER  BACKENDS  LOCAL
tcp:10.0.0.100:80     fullnat  wrr               0  10.0.1.1,10.0.1.2
udp:[2001:db8::1]:53  dr       rr                0
`)
	s.ok("service show tcp:10.0.0.100:80", `
service    tcp:10.0.0.100:80
mode       fullnat
scheduler  wrr
local      10.0.1.1, 10.0.1.2

No backends. Add one: sluicectl backend add tcp:10.0.0.100:80 10.0.1.11
`)
	s.ok("backend add tcp:10.0.0.100:80 10.0.1.11", "backend 10.0.1.11:80 added to tcp:10.0.0.100:80, weight 1\n")
	s.ok("service set tcp:10.0.0.100:80 --mode nat --local= --scheduler rr", "service tcp:10.0.0.100:80 changed\n")
	s.ok("service set tcp:10.0.0.100:80 --mode nat", "service tcp:10.0.0.100:80 is so already, unchanged\n")
	s.ok("service show tcp:10.0.0.100:80 -o yaml", `
address: 10.0.0.100
backends:
- address: 10.0.1.11
  port: 80
  weight: 1
mode: nat
port: 80
protocol: tcp
scheduler: rr
`)
	s.fails("service set tcp:10.0.0.100:80 --scheduler fastest", 1, "scheduler: fastest: no such scheduler: use rr or wrr")
	s.fails("service set tcp:10.0.0.101:80 --mode dr", 1, "service: tcp:10.0.0.101:80: no such service")
	s.ok("service remove tcp:10.0.0.100:80", "service tcp:10.0.0.100:80 removed\n")
	s.fails("service remove tcp:10.0.0.100:80", 1, "service: tcp:10.0.0.100:80: no such service: list them with: sluicectl service list")
	s.fails("service show tcp:10.0.0.100:80", 1, "service: tcp:10.0.0.100:80: no such service")
}

func TestBackendVerbs(t *testing.T) {
	s := newShell(t, &servertest.Engine{})
	s.ok("service add tcp:10.0.0.100:80 --mode nat", "service tcp:10.0.0.100:80 added\n")
	s.ok("backend list tcp:10.0.0.100:80", "No backends. Add one: sluicectl backend add tcp:10.0.0.100:80 10.0.1.11\n")
	s.ok("backend add tcp:10.0.0.100:80 10.0.1.11", "backend 10.0.1.11:80 added to tcp:10.0.0.100:80, weight 1\n")
	s.ok("backend add tcp:10.0.0.100:80 10.0.1.12:8080 --weight 300", "backend 10.0.1.12:8080 added to tcp:10.0.0.100:80, weight 300\n")
	s.ok("backend add tcp:10.0.0.100:80 10.0.1.11:80", "backend 10.0.1.11:80 of tcp:10.0.0.100:80 exists already, unchanged\n")
	s.fails("backend add tcp:10.0.0.100:80 10.0.1.11 --weight 2", 1, "backend add: 10.0.1.11:80 of tcp:10.0.0.100:80: exists with weight 1, not 2: "+
		"change it with: sluicectl backend set tcp:10.0.0.100:80 10.0.1.11:80 --weight 2")
	s.ok("backend set tcp:10.0.0.100:80 10.0.1.11 --weight 0", "backend 10.0.1.11:80 of tcp:10.0.0.100:80 has weight 0 now\n")
	s.ok("backend set tcp:10.0.0.100:80 10.0.1.11 --weight 0", "backend 10.0.1.11:80 of tcp:10.0.0.100:80 has weight 0 already, unchanged\n")
	s.ok("backend list tcp:10.0.0.100:80", `
BACKEND         WEIGHT
10.0.1.11:80         0
10.0.1.12:8080     300
`)
	s.fails("backend set tcp:10.0.0.100:80 10.0.1.13 --weight 1", 1, "backend: 10.0.1.13:80: no such backend of tcp:10.0.0.100:80: list them with")
	s.ok("backend remove tcp:10.0.0.100:80 10.0.1.11", "backend 10.0.1.11:80 removed from tcp:10.0.0.100:80\n")
	s.fails("backend remove tcp:10.0.0.100:80 10.0.1.11", 1, "backend: 10.0.1.11:80: no such backend of tcp:10.0.0.100:80")
	s.fails("backend add tcp:10.0.0.100:80 10.0.0.100", 1, "address: 10.0.0.100: is the service's own virtual address")
	s.ok("backend list tcp:10.0.0.100:80 -o json", `
{
  "backends": [
    {
      "address": "10.0.1.12",
      "port": 8080,
      "weight": 300
    }
  ]
}
`)
}

func TestUsageErrors(t *testing.T) {
	s := newShell(t, &servertest.Engine{})
	for line, want := range map[string]string{
		"stauts":                                 "sluicectl: stauts: unknown command: did you mean status?",
		"service lits":                           "sluicectl service: lits: unknown command: did you mean list?",
		"status now":                             "sluicectl status: now: one argument too many",
		"status --verbose":                       "unknown flag: --verbose",
		"status -o xml":                          "output: xml: unknown format: use table, json or yaml",
		"service show":                           "sluicectl service show: SERVICE is missing: usage: sluicectl service show SERVICE",
		"service show web":                       "service: web: unknown protocol: write PROTOCOL:ADDRESS:PORT",
		"counters a b":                           "sluicectl counters: b: one argument too many",
		"flows --limit -1":                       "limit: -1: negative",
		"flows --limit ten":                      "limit: ten: no whole number, or too large: give digits alone",
		"flows --limit":                          "sluicectl flows: limit: value is missing: write --limit LIMIT",
		"flows --client me":                      "address: me: not an IP address",
		"service add tcp:10.0.0.1:80":            "service add: --mode is missing",
		"service set tcp:10.0.0.1:80":            "service set: nothing to change",
		"backend add tcp:10.0.0.1:80":            "sluicectl backend add: ADDR[:PORT] is missing",
		"backend add tcp:10.0.0.1:80 10.0.0.2:x": "endpoint: 10.0.0.2:x: not a port",
		"backend add tcp:10.0.0.1:80 10.0.0.2 --weight 1e6": "weight: 1e6: no whole number",
		"backend add tcp:10.0.0.1:80 10.0.0.2 --weight -1":  "weight: -1: out of range: give 0 to 65535",
		"backend set tcp:10.0.0.1:80 10.0.0.2":              "backend set: --weight is missing",
	} {
		s.fails(line, 2, want)
	}
}

func TestUnreachable(t *testing.T) {
	s := &shell{t: t}
	s.fails("status --socket /nonexistent/control.sock", 1, "cannot reach sluiced: /nonexistent/control.sock: no such file: is it running?")
}

// TestHelp: every command explains itself, with examples that parse.
func TestHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.NotEmpty(t, cmd.Example, cmd.CommandPath())
		require.True(t, strings.HasPrefix(strings.TrimSpace(cmd.Example), "sluicectl "), cmd.CommandPath())
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&cli{}))
	code, out, _ := (&shell{t: t}).run("service add --help", "")
	require.Equal(t, 0, code)
	require.Contains(t, out, "--local")
}

// TestExamples: what help prints makes sense to the command line, and whoever adds
// the services that it shows gets them.
func TestExamples(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			line, _, _ = strings.Cut(strings.ReplaceAll(strings.TrimSpace(line), " ''", "="), "   #")
			words, isOurs := strings.CutPrefix(line, "sluicectl ")
			if !isOurs || strings.ContainsAny(line, "|>") {
				continue
			}
			code, _, errOut := newShell(t, &servertest.Engine{}).run(words, "")
			require.NotEqual(t, exitUsage, code, "%s: %s", line, errOut)
			if strings.HasPrefix(words, "service add ") {
				require.Equal(t, exitOK, code, "%s: %s", line, errOut)
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&cli{}))
	_, services, _ := strings.Cut(applyCmd(&cli{}).Example, "\n\n")
	code, _, errOut := newShell(t, &servertest.Engine{}).run("apply -", services)
	require.Equal(t, exitOK, code, errOut)
}

func TestVersion(t *testing.T) {
	s := &shell{t: t}
	s.ok("--version", "sluicectl version "+version+"\n")
}

func TestCompletion(t *testing.T) {
	s := newShell(t, &servertest.Engine{})
	s.ok("service add tcp:10.0.0.100:80 --mode nat", "service tcp:10.0.0.100:80 added\n")
	s.ok("backend add tcp:10.0.0.100:80 10.0.1.11", "backend 10.0.1.11:80 added to tcp:10.0.0.100:80, weight 1\n")
	var out bytes.Buffer
	run(context.Background(), []string{"__complete", "service", "show", ""}, nil, &out, &bytes.Buffer{})
	require.Contains(t, out.String(), "tcp:10.0.0.100:80\n")
	out.Reset()
	run(context.Background(), []string{"__complete", "backend", "set", "tcp:10.0.0.100:80", ""}, nil, &out, &bytes.Buffer{})
	require.Contains(t, out.String(), "10.0.1.11:80\n")
}

func TestBytes(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.00 KiB", 1280: "1.25 KiB", 10235: "10.0 KiB", 102348: "99.9 KiB", 102400: "100 KiB",
		1023 << 10: "1.00 MiB", 1 << 20: "1.00 MiB", 1<<64 - 1: "16.0 EiB",
	} {
		require.Equal(t, want, bytesOf(n))
	}
}

// TestTableStreams: rows are printed as they come, and stay aligned.
func TestTableStreams(t *testing.T) {
	var out bytes.Buffer
	table := newTable(&out, "NAME", ">N")
	for i := range 3*tableChunk + 1 {
		require.NoError(t, table.row("x", i))
	}
	require.Equal(t, 3*tableChunk+1, strings.Count(out.String(), "\n"), "all but the last row, and the headings")
	require.NoError(t, table.flush())
	require.True(t, strings.HasSuffix(out.String(), fmt.Sprintf("x     %d\n", 3*tableChunk)))
	require.Equal(t, 1, strings.Count(out.String(), "NAME"))
}

// TestBuildsWithoutCgo: the CLI runs where DPDK is not installed.
func TestBuildsWithoutCgo(t *testing.T) {
	cmd := exec.Command("go", "build", "-o", filepath.Join(t.TempDir(), "sluicectl"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	out, err = exec.Command("go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for dep := range strings.Lines(string(out)) {
		if own, ok := strings.CutPrefix(strings.TrimSpace(dep), "github.com/sluice-lb/sluice/"); ok {
			require.Contains(t, []string{"ctl/api", "ctl/client", "cmd/sluicectl"}, own)
		}
	}
}

// TestConcurrentAdds: many add to one service at once, none is lost.
func TestConcurrentAdds(t *testing.T) {
	s := newShell(t, &servertest.Engine{})
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			code, _, errOut := s.run("service add tcp:10.0.0.100:80 --mode nat", "")
			if code == 0 {
				code, _, errOut = s.run(fmt.Sprintf("backend add tcp:10.0.0.100:80 10.0.1.%d", i+1), "")
			}
			if code != 0 {
				t.Error(errOut)
			}
		})
	}
	all.Wait()
	list := s.engine.Services()
	require.Len(t, list.Services, 1)
	require.Len(t, list.Services[0].Backends, 10)
	require.EqualValues(t, 11, list.Revision)
}
