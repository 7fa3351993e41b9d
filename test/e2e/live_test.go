package e2e

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Settings of a live service change under running downloads: flows keep the
// mode and the local address that they began with, and that address stays the
// gateway's until the last of them has ended.
func TestSettingsOfALiveServiceSpareItsFlows(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{Config: map[string]any{"timeouts.tcp_fin_wait": "1s", "timeouts.tcp_close": "1s"}})
	s := l.service("fullnat", "tcp", "rs1")
	key, err := s.Key()
	require.NoError(t, err)
	put := func(change func()) {
		t.Helper()
		change()
		_, err := d.PutService(ctx, s, nil)
		require.NoError(t, err)
	}
	put(func() {})
	var all []*download
	for range 6 {
		all = append(all, l.download(key))
	}
	go6 := func(what string) {
		t.Helper()
		for _, one := range all {
			require.NoError(t, one.some(), what)
		}
		assert.Equal(t, 6, d.established(netip.AddrPort{}), what)
	}
	onTwin := func(address string) bool {
		return strings.Contains(l.run("gw", "ip", "-o", "address", "show", "dev", "sl-lan"), " "+address+"/32 ")
	}
	old, next := l.addr("local").String(), "10.0.0.66"

	put(func() { s.LocalAddresses = []string{next} })
	go6("another local address")
	assert.True(t, onTwin(old), "flows are on it")
	assert.True(t, onTwin(next))
	_, err = l.get(key, "from-another")
	require.NoError(t, err)
	eventually(t, "the new address is seen", func() bool { return len(l.logged("rs1", "http", "/from-another")) == 1 })
	assert.Contains(t, l.logged("rs1", "http", "/from-another")[0], next+" ")

	put(func() { s.Scheduler = "wrr" })
	go6("another scheduler")
	d.putBackend(key, d.backend(key, "rs1"), 0)
	go6("weight 0")
	_, err = l.get(key, "nobody")
	require.Error(t, err, "no backend takes new flows")
	for _, mode := range []string{"nat", "dr", "tun", "fullnat"} {
		put(func() {
			s.Mode, s.LocalAddresses = mode, nil
			if mode == "tun" || mode == "fullnat" {
				s.LocalAddresses = []string{next}
			}
		})
		go6("mode " + mode)
		assert.True(t, onTwin(old), "flows are on it")
	}
	for _, one := range all {
		require.NoError(t, one.rest())
	}
	eventually(t, "the old address goes with the last flow", func() bool { return !onTwin(old) })
	assert.True(t, onTwin(next))
	d.stop()
}
