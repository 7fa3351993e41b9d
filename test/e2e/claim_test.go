package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A second daemon with sockets and a run directory of its own, on the interface
// of a first that lives, is refused, as is the removal of what it might have
// left; the first does not notice.
func TestOneDaemonAnInterface(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	key := d.add("fullnat", "tcp", "rs1", "rs2")
	silenced := l.run("gw", "nft", "list", "ruleset")
	other := setup{Config: map[string]any{
		"run_dir": filepath.Join(l.dir, "run2"), "control.socket": filepath.Join(l.dir, "control2.sock"),
		"metrics.listen": "", "eal.prefix": nil,
	}}
	clean := other
	clean.Args = []string{"clean"}
	for name, s := range map[string]setup{"start": other, "clean": clean} {
		t.Run(name, func(t *testing.T) {
			says := l.fail(s)
			for _, part := range []string{"ports[0] (lan)", "eth0", fmt.Sprintf("process %d (sluiced)", d.cmd.Process.Pid), "choose another device"} {
				assert.Contains(t, says, part)
			}
			assert.Equal(t, 1, strings.Count(says, "\n"), "one message: %s", says)
			assert.NoFileExists(t, filepath.Join(l.dir, "control2.sock"))
			assert.NoDirExists(t, filepath.Join(l.dir, "run2"))
			assert.Equal(t, silenced, l.run("gw", "nft", "list", "ruleset"))
		})
	}
	assert.Equal(t, map[string]int{"rs1": 5, "rs2": 5}, l.getMany(10, key, "claimed"))
	before := d.before
	d.kill()
	d = l.start(setup{}) // a claim ends with its process, however that ends
	d.before = before
	d.stop()
}
