package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/server/servertest"
)

// Programs get what they asked for from verbs that change something, too.
func TestChangesAsJSON(t *testing.T) {
	s := newShell(t, &servertest.Engine{})
	for _, step := range [][3]string{
		{"service add tcp:10.0.0.100:80 --mode nat -o json", "true", "service tcp:10.0.0.100:80 added"},
		{"service add tcp:10.0.0.100:80 --mode nat -o json", "false", "service tcp:10.0.0.100:80 exists already, unchanged"},
		{"service set tcp:10.0.0.100:80 --scheduler rr -o json", "true", "service tcp:10.0.0.100:80 changed"},
		{"backend add tcp:10.0.0.100:80 10.0.1.11 -o json", "true", "backend 10.0.1.11:80 added to tcp:10.0.0.100:80, weight 1"},
		{"backend set tcp:10.0.0.100:80 10.0.1.11 --weight 1 -o json", "false", "backend 10.0.1.11:80 of tcp:10.0.0.100:80 has weight 1 already, unchanged"},
		{"backend remove tcp:10.0.0.100:80 10.0.1.11 -o json", "true", "backend 10.0.1.11:80 removed from tcp:10.0.0.100:80"},
		{"service remove tcp:10.0.0.100:80 -o json", "true", "service tcp:10.0.0.100:80 removed"},
	} {
		s.ok(step[0], fmt.Sprintf("{\n  \"changed\": %s,\n  \"message\": %q\n}\n", step[1], step[2]))
	}
	code, out, _ := s.run("apply - -o yaml", "services: []")
	require.Equal(t, exitOK, code)
	require.Regexp(t, `^revision: \d+\n$`, out)
}
