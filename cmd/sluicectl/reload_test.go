package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/server/servertest"
)

func TestReload(t *testing.T) {
	engine := &servertest.Engine{}
	s := newShell(t, engine)
	s.ok("service add tcp:10.0.0.9:80 --mode dr", "service tcp:10.0.0.9:80 added\n")
	s.ok("reload", "no list of services in the file: those there are stay, revision 1\n")

	engine.File = []api.Service{{Protocol: "tcp", Address: "10.0.0.100", Port: 80, Mode: "dr"}}
	engine.Restart = []string{"workers.flows", "ports[0].mtu"}
	s.ok("reload", "services reloaded, revision 2\nneeds a restart: workers.flows, ports[0].mtu\n")
	require.Equal(t, "10.0.0.100", engine.Services().Services[0].Address)
	s.ok("reload -o json", "{\n  \"revision\": 2,\n  \"services\": true,\n  \"needs_restart\": [\n    \"workers.flows\",\n    \"ports[0].mtu\"\n  ]\n}\n")

	engine.FileError = api.Errors{
		{Kind: api.Invalid, Field: "/etc/sluice/sluice.yaml: workers.flows", Why: "many: no whole number"},
		{Kind: api.Invalid, Field: "/etc/sluice/sluice.yaml: services[0].mode", Why: "x: unknown mode"}}
	s.fails("reload", 1, "/etc/sluice/sluice.yaml: services[0].mode: x: unknown mode")
	s.fails("reload now", 2, "")
}
