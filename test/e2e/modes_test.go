package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// way is how a service's packets reach its backends: a mode, the family of
// clients and service, and that of servers and, with tun, of the outer header.
type way struct{ mode, family, servers string }

// ways are all there are.
var ways = []way{
	{"dr", "4", "4"}, {"dr", "6", "6"},
	{"nat", "4", "4"}, {"nat", "6", "6"},
	{"fullnat", "4", "4"}, {"fullnat", "6", "6"},
	{"tun", "4", "4"}, {"tun", "6", "6"}, {"tun", "4", "6"}, {"tun", "6", "4"},
}

// String is the way's name, as tun-4in6.
func (w way) String() string { return w.mode + "-" + w.family + "in" + w.servers }

// bypasses: replies go from server to client directly.
func (w way) bypasses() bool { return w.mode == "dr" || w.mode == "tun" }

// overhead is how many bytes the way adds to a packet.
func (w way) overhead() int {
	switch {
	case w.mode != "tun":
		return 0
	case w.servers == "4":
		return 20
	}
	return 40
}

// newTwoArmLab makes a lab where nat, dr and tun all find the routes that they
// need, and servers end tunnels.
func newTwoArmLab(t *testing.T) *lab {
	t.Helper()
	needRoot(t)
	t.Parallel()
	return variantLab(t, "two-arm")
}

// startBoth starts a daemon that knows its neighbors of both families.
func (l *lab) startBoth(s setup) *daemon {
	l.t.Helper()
	d := l.start(s)
	for _, host := range []string{"client", "rs1", "rs2"} {
		l.run("gw", "ping", "-c", "1", "-W", "10", l.address(host, "6").String())
	}
	d.mbufs = d.mbufsInUse()
	return d
}

// addWay makes a service with servers behind it.
func (d *daemon) addWay(w way, protocol string, servers ...string) api.Key {
	d.t.Helper()
	l, name := d.lab, "vip-"+w.mode
	if w.family != w.servers {
		name = "vip-mixed"
	}
	s := api.Service{Protocol: protocol, Address: l.address(name, w.family).String(), Port: 80, Mode: w.mode, Scheduler: "rr",
		Backends: []api.Backend{}}
	if protocol == "udp" {
		s.Port = 7
	}
	if w.mode == "fullnat" || w.mode == "tun" {
		s.LocalAddresses = []string{l.address("local", w.servers).String()}
	}
	for _, server := range servers {
		s.Backends = append(s.Backends, api.Backend{Address: l.address(server, w.servers).String(), Port: s.Port})
	}
	_, err := d.PutService(ctx, s, nil)
	require.NoError(d.t, err)
	key, err := s.Key()
	require.NoError(d.t, err)
	return key
}

func TestEveryModeForwardsEveryFamily(t *testing.T) {
	l := newTwoArmLab(t)
	d := l.startBoth(setup{})
	for _, w := range ways {
		for _, protocol := range []string{"tcp", "udp"} {
			t.Run(w.String()+"-"+protocol, func(t *testing.T) {
				key, mark := d.addWay(w, protocol, "rs1", "rs2"), fmt.Sprintf("every-%s-%s", w, protocol)
				assert.Equal(t, map[string]int{"rs1": 10, "rs2": 10}, l.exchanges(20, key, mark))
				for _, server := range []string{"rs1", "rs2"} {
					l.checkLog(w, server, key, mark, 10)
				}
				total, backends := d.counters(key)
				assert.EqualValues(t, 20, total.Flows)
				for _, server := range []string{"rs1", "rs2"} {
					assert.EqualValues(t, 10, backends[l.address(server, w.servers).String()].Flows)
				}
				if w.bypasses() {
					assert.Zero(t, total.OutPackets, "replies bypass the gateway")
				} else {
					assert.GreaterOrEqual(t, total.OutPackets, uint64(20))
				}
			})
		}
	}
	d.stop()
}

// exchanges has n exchanges of the service's protocol, each a flow of its own,
// and returns how often each server answered.
func (l *lab) exchanges(n int, key api.Key, mark string) map[string]int {
	l.t.Helper()
	if key.Protocol == "tcp" {
		return l.getMany(n, key, mark)
	}
	answers := map[string]int{}
	for i := range n {
		answers[l.ask(l.dialUDP(key), fmt.Sprintf("%s?%d", mark, i))]++
	}
	return answers
}

// checkLog: a server has logged n exchanges, and who it thinks it spoke with,
// and as whom, is what the mode makes of it.
func (l *lab) checkLog(w way, server string, key api.Key, mark string, n int) {
	l.t.Helper()
	log, client, own := "http", l.address("client", w.family), l.address(server, w.servers)
	if key.Protocol == "udp" {
		log = "udp"
	}
	if w.mode == "fullnat" {
		client = l.address("local", w.servers)
	}
	if w.bypasses() {
		own = key.Address
	}
	l.hasLogged(server, log, mark+"?", n)
	for _, line := range l.logged(server, log, mark+"?") {
		require.True(l.t, strings.HasPrefix(line, fmt.Sprintf("%s %s ", client, own)), "%s: %s", server, line)
	}
}
