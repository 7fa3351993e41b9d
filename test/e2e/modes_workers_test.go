package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// TestTwoWorkersForwardEveryMode: the kernel spreads frames over both queues of
// both ports as it likes, requests and replies of a flow among them; whichever
// worker gets one, it reaches the flow's owner.
func TestTwoWorkersForwardEveryMode(t *testing.T) {
	l := newTwoArmLab(t)
	d := l.startBoth(setup{Config: map[string]any{"ports": l.portsWith(",qpairs=2"), "workers.cores": []int{0, 1}}})
	for _, w := range ways {
		for _, protocol := range []string{"tcp", "udp"} {
			t.Run(w.String()+"-"+protocol, func(t *testing.T) {
				key := d.addWay(w, protocol, "rs1", "rs2")
				answers := l.exchanges(30, key, fmt.Sprintf("two-%s-%s", w, protocol))
				// Each worker goes round on its own, so they are one apart at most.
				assert.InDelta(t, 15, answers["rs1"], 1)
				assert.Equal(t, 30, answers["rs1"]+answers["rs2"])
				total, _ := d.counters(key)
				assert.EqualValues(t, 30, total.Flows)
			})
		}
	}
	workers, verdicts := d.count()
	for _, w := range workers {
		assert.NotZero(t, w.FlowsNew, "worker %d", w.ID)
		assert.NotZero(t, w.HandedOver, "worker %d", w.ID)
	}
	for _, drop := range []string{"no-flow", "reply-in-use", "handover-ring-full", "own-source"} {
		assert.Zero(t, verdicts[drop], drop)
	}
	d.stop()
}

// portsWith is the lab's ports with more device arguments.
func (l *lab) portsWith(arguments string) []map[string]any {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "sluice.yaml"))
	require.NoError(l.t, err)
	var config struct{ Ports []map[string]any }
	require.NoError(l.t, yaml.Unmarshal(text, &config))
	for _, p := range config.Ports {
		p["device"] = p["device"].(string) + arguments
	}
	return config.Ports
}
