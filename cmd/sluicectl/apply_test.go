package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/server/servertest"
)

const file = `services:
- address: 10.0.0.100
  backends:
  - address: 10.0.1.11
    port: 80
    weight: 1
  - address: 10.0.1.12
    port: 8080
    weight: 0
  local_addresses:
  - 10.0.1.1
  mode: fullnat
  port: 80
  protocol: tcp
  scheduler: wrr
- address: 2001:db8::1
  backends: []
  mode: dr
  port: 53
  protocol: udp
  scheduler: rr
`

func TestApplyAndExport(t *testing.T) {
	s := newShell(t, &servertest.Engine{})
	path := filepath.Join(t.TempDir(), "services.yaml")
	require.NoError(t, os.WriteFile(path, []byte(file), 0o600))
	s.ok("apply "+path, path+" applied, 2 services, revision 1\n")
	s.ok("export", file)
	s.ok("apply "+path, path+" applied, 2 services, revision 1\n")

	_, exported, _ := s.run("export -o json", "")
	s.ok("service remove tcp:10.0.0.100:80", "service tcp:10.0.0.100:80 removed\n")
	code, out, errOut := s.run("apply -", exported)
	require.Equal(t, 0, code, errOut)
	require.Equal(t, "- applied, 2 services, revision 3\n", out)
	s.ok("export", file)

	// A list with its revision is applied only if nobody changed it since.
	_, listed, _ := s.run("service list -o yaml", "")
	s.ok("service remove tcp:10.0.0.100:80", "service tcp:10.0.0.100:80 removed\n")
	code, _, errOut = s.run("apply -", listed)
	require.Equal(t, 1, code)
	require.Contains(t, errOut, "the configuration is at revision 4")
	require.Len(t, s.engine.Services().Services, 1)
}

func TestApplyRefuses(t *testing.T) {
	s := newShell(t, &servertest.Engine{})
	s.fails("apply /nonexistent.yaml", 1, "apply: /nonexistent.yaml: no such file or directory")
	for text, want := range map[string]string{
		"":                               "no list of services",
		"services:":                      "no list of services",
		"services: [{mode: dr":           "apply: -: ",
		"servces: []":                    "servces: unknown field",
		file + "- mode: dr":              "services[2].protocol: unknown protocol",
		file + file[len("services:\n"):]: "services[2]: tcp:10.0.0.100:80: the same as services[0]",
	} {
		code, out, errOut := s.run("apply -", text)
		require.Equal(t, 1, code, text)
		require.Empty(t, out)
		require.Contains(t, errOut, want)
		require.Empty(t, s.engine.Services().Services)
	}
}
