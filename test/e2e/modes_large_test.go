package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

const large = 64 << 20 // bytes of 64m.bin

func TestLargeDownloadsAreIntactInEveryMode(t *testing.T) {
	l := newTwoArmLab(t)
	d := l.startBoth(setup{})
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			key := d.addWay(w, "tcp", "rs1")
			require.NoError(t, <-l.transfer(key, "64m.bin"))
			total, _ := d.counters(key)
			assert.EqualValues(t, 1, total.Flows)
			if !w.bypasses() {
				assert.GreaterOrEqual(t, total.OutBytes, uint64(large))
			}
		})
	}
	d.stop()
}

// TestLargeUploadsAreIntactInEveryMode: requests pass the gateway in every mode.
// In tunnels the client's full-size segments do not fit: it has to be told, and
// to hear it.
func TestLargeUploadsAreIntactInEveryMode(t *testing.T) {
	l := newTwoArmLab(t)
	d := l.startBoth(setup{})
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			key, before := d.addWay(w, "tcp", "rs1"), d.verdicts()["answered-too-big"]
			require.NoError(t, l.upload(key, "rs1"))
			total, _ := d.counters(key)
			assert.EqualValues(t, 1, total.Flows)
			assert.GreaterOrEqual(t, total.InBytes, uint64(large))
			told := d.verdicts()["answered-too-big"] - before
			if w.overhead() > 0 {
				assert.NotZero(t, told, "the client is told that its packets are too big")
				assert.Contains(t, l.pathTo(key), fmt.Sprintf("mtu %d", 1500-w.overhead()))
			} else {
				assert.Zero(t, told)
				assert.NotContains(t, l.pathTo(key), "mtu")
			}
		})
	}
	d.stop()
}

// upload PUTs 64m.bin through a service whose only backend is server, and
// compares what has arrived there.
func (l *lab) upload(key api.Key, server string) error {
	l.t.Helper()
	args := append(curl, "--fail", "-T", filepath.Join(root, "build/lab/64m.bin"), url(key, "upload/64m.bin"))
	if out, err := l.command("client", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", args, err, out)
	}
	name := filepath.Join(l.dir, server, "upload/64m.bin")
	defer os.Remove(name)
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got, want := hex.EncodeToString(sum.Sum(nil)), fileSum("64m.bin"); got != want {
		return fmt.Errorf("%s: SHA-256 %s, want %s", name, got, want)
	}
	return nil
}

// pathTo is the client's route to a service, with what it has learned of it.
func (l *lab) pathTo(key api.Key) string {
	l.t.Helper()
	return strings.Join(strings.Fields(l.run("client", "ip", "route", "get", key.Address.String())), " ")
}
