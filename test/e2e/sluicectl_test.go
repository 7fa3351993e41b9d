package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/sluice-lb/sluice/ctl/api"
)

// sluicectl runs the CLI and returns what it says, and its exit status.
func (d *daemon) sluicectl(args ...string) (out, errors string, code int) {
	d.t.Helper()
	cmd := exec.Command(program("sluicectl"), append([]string{"--socket", d.Socket}, args...)...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	require.NotNil(d.t, cmd.ProcessState)
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// does is a call that has to succeed.
func (d *daemon) does(args ...string) string {
	d.t.Helper()
	out, errors, code := d.sluicectl(args...)
	require.Zero(d.t, code, "%s: %s", args, errors)
	require.Empty(d.t, errors)
	return out
}

func TestSluicectlConfiguresALiveDaemon(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	rs1, rs2 := l.addr("rs1").String(), l.addr("rs2").String()
	for _, mode := range modes {
		vip := l.addr("vip-" + mode).String()
		service := "tcp:" + vip + ":80"
		add := []string{"service", "add", service, "--mode", mode, "--scheduler", "rr"}
		if mode == "fullnat" {
			add = append(add, "--local", l.addr("local").String())
		}
		assert.Contains(t, d.does(add...), service)
		d.does("backend", "add", service, rs1)
		d.does("backend", "add", service, rs2+":80", "--weight", "1")
		key, err := api.ParseKey(service)
		require.NoError(t, err)
		assert.Equal(t, map[string]int{"rs1": 5, "rs2": 5}, l.getMany(10, key, "ctl"))

		d.does("backend", "set", service, rs2, "--weight", "0")
		assert.Equal(t, map[string]int{"rs1": 10}, l.getMany(10, key, "ctl-weight"))
		d.does("backend", "remove", service, rs1)
		d.does("backend", "set", service, rs2, "--weight", "3")
		assert.Equal(t, map[string]int{"rs2": 10}, l.getMany(10, key, "ctl-removed"))
		assert.Regexp(t, `(?m)`+rs2+`.*\b3\b`, d.does("backend", "list", service))
		d.does("service", "remove", service)
	}
	assert.Zero(t, d.status().Services)
	d.stop()
}

// Every view exists in all formats; JSON and YAML speak the words of the API.
func TestSluicectlShowsALiveDaemon(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	key := d.add("fullnat", "tcp", "rs1", "rs2")
	l.getMany(10, key, "show")
	d.quiet()
	for verb, words := range map[string][]string{
		"status":       {"version", "flows", "mbufs"},
		"ports":        {"lan", "sl-lan", "net_af_packet"},
		"workers":      {"received", "transmitted", "dropped"},
		"verdicts":     {"forwarded", "transmitted"},
		"counters":     {"10.0.0.100:80", "10.0.0.11:80"},
		"service list": {"tcp:10.0.0.100:80", "fullnat", "rr"},
		"flows":        {"tcp:10.0.0.100:80", "10.0.0.11:80"},
		"flows --wide": {"tcp:10.0.0.100:80", "10.0.0.2:", "fullnat"},
	} {
		t.Run(verb, func(t *testing.T) {
			args := strings.Fields(verb)
			table := strings.ToLower(d.does(args...))
			for _, word := range words {
				assert.Contains(t, table, word)
			}
			text := d.does(append(args, "-o", "json")...)
			var fromJSON, fromYAML any
			decoder := json.NewDecoder(strings.NewReader(text)) // flows: one after another
			require.NoError(t, decoder.Decode(&fromJSON))
			text, _, _ = strings.Cut(strings.TrimPrefix(d.does(append(args, "-o", "yaml")...), "---\n"), "\n---\n")
			require.NoError(t, yaml.Unmarshal([]byte(text), &fromYAML))
			assert.Equal(t, keys(fromJSON), keys(fromYAML))
			assert.NotEmpty(t, keys(fromJSON))
		})
	}
	for _, args := range [][]string{{"flows"}, {"verdicts", "--all"}} {
		for line := range strings.Lines(d.does(args...)) {
			assert.LessOrEqual(t, len(line), 80+len("\n"), "%s: fits a terminal: %s", args, line)
		}
	}
	var counters api.CounterList
	require.NoError(t, api.DecodeJSON([]byte(d.does("counters", key.String(), "-o", "json")), &counters))
	require.Len(t, counters.Services, 1)
	assert.EqualValues(t, 10, counters.Services[0].Flows)
	assert.Equal(t, 10, strings.Count(d.does("flows", "--service", key.String(), "-o", "json"), "\n"))
	assert.Equal(t, 5, strings.Count(d.does("flows", "--backend", "10.0.0.12:80", "-o", "json"), "\n"))
	assert.Equal(t, 3, strings.Count(d.does("flows", "--limit", "3", "-o", "json"), "\n"))
	d.stop()
}

// A backend that is the gateway itself gets nothing; status says so.
func TestBackendThatIsTheGateway(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	d.does("service", "add", "tcp:10.0.0.100:80", "--mode", "nat")
	d.does("backend", "add", "tcp:10.0.0.100:80", "10.0.0.1")
	said := func() bool {
		return strings.Contains(d.does("status"), "backend 10.0.0.1 is the gateway itself")
	}
	assert.Eventually(t, said, 5*time.Second, 50*time.Millisecond)
	d.does("backend", "remove", "tcp:10.0.0.100:80", "10.0.0.1")
	assert.Eventually(t, func() bool { return !said() }, 5*time.Second, 50*time.Millisecond)
	d.stop()
}

// keys is the names of an object's members.
func keys(v any) (out map[string]bool) {
	out = map[string]bool{}
	object, _ := v.(map[string]any)
	for name := range object {
		out[name] = true
	}
	return out
}

func TestExportAndApplyAreInverse(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	for _, mode := range modes {
		d.add(mode, "tcp", "rs1", "rs2")
		d.add(mode, "udp", "rs2")
	}
	exported := d.does("export")
	file := filepath.Join(t.TempDir(), "services.yaml")
	require.NoError(t, os.WriteFile(file, []byte(exported), 0o644))
	revision := d.status().Revision
	d.does("apply", file)
	assert.Equal(t, revision, d.status().Revision, "what is there already is no change")

	_, err := d.ReplaceServices(ctx, nil, nil)
	require.NoError(t, err)
	assert.NotContains(t, d.does("export"), "tcp")
	d.does("apply", file)
	assert.Equal(t, exported, d.does("export"))
	for _, mode := range modes {
		key, err := l.service(mode, "tcp").Key()
		require.NoError(t, err)
		assert.Equal(t, map[string]int{"rs1": 5, "rs2": 5}, l.getMany(10, key, "applied"))
	}
	d.stop()
}

// A request that is refused says why and what to do, and changes nothing.
func TestRefusedRequestsTeachAndChangeNothing(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	d.add("fullnat", "tcp", "rs1")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	require.NoError(t, os.WriteFile(bad, []byte(d.does("export")+"- protocol: tcp\n  address: 10.0.0.101\n  port: 80\n  mode: dr\n  scheduler: none\n"), 0o644))
	before := d.does("export")
	for _, c := range []struct{ args, says string }{
		{"backend add tcp:10.0.0.200:80 10.0.0.11", "no such service"},
		{"backend add tcp:10.0.0.200:80 10.0.0.11", "service list"},
		{"service remove udp:10.0.0.100:80", "no such service"},
		{"backend remove tcp:10.0.0.100:80 10.0.0.12", "no such backend of tcp:10.0.0.100:80"},
		{"service add tcp:10.0.0.101:80 --mode direct", "use dr, nat, fullnat or tun"},
		{"service add tcp:10.0.0.101:80 --mode dr --scheduler magic", "magic"},
		{"service add tcp:10.0.0.101:80 --mode fullnat", "local"},
		{"service add tcp:10.0.0.100:80 --mode dr", "service set tcp:10.0.0.100:80"},
		{"service add 10.0.0.100:80 --mode dr", "PROTOCOL:ADDRESS:PORT"},
		{"backend add tcp:10.0.0.100:80 10.0.0.300", "not an IP address"},
		{"backend add tcp:10.0.0.100:80 10.0.0.12 --weight 70000", "65535"},
		{"apply " + bad, "services[1].scheduler"},
		{"apply /nonexistent.yaml", "no such file"},
		{"status -o xml", "use table, json or yaml"},
		{"servce list", "unknown command"},
	} {
		t.Run(c.args, func(t *testing.T) {
			out, errors, code := d.sluicectl(strings.Fields(c.args)...)
			assert.NotZero(t, code)
			assert.Empty(t, out)
			assert.Contains(t, errors, c.says)
			assert.True(t, strings.HasPrefix(errors, "sluicectl: "), errors)
			assert.Equal(t, before, d.does("export"))
		})
	}
	d.stop()
	_, errors, code := d.sluicectl("status")
	assert.Equal(t, 1, code)
	assert.Contains(t, errors, "cannot reach sluiced: "+d.Socket)
}
