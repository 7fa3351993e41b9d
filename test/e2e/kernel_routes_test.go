package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// behindRouters puts a server's second address behind two routers, and returns
// it; the gateway has a route over both. Packets back come directly.
func (l *lab) behindRouters(t *testing.T) string {
	t.Helper()
	const remote = "10.9.0.1"
	l.run("rs1", "ip", "address", "add", remote+"/32", "dev", "lo")
	for i, router := range []string{"r1", "r2"} {
		l.join(router, fmt.Sprintf("10.0.0.%d/24", 51+i))
		l.run(router, "sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0")
		l.run(router, "ip", "route", "add", remote, "via", l.addr("rs1").String())
	}
	l.run("gw", "ip", "route", "add", "10.9.0.0/24", "nexthop", "via", "10.0.0.51", "dev", "sl-lan", "nexthop", "via", "10.0.0.52", "dev", "sl-lan")
	return remote
}

// clients are more addresses of the client: gateways share flows by client.
func (l *lab) clients(n int) (list []string) {
	l.t.Helper()
	for i := range n {
		list = append(list, fmt.Sprintf("10.0.0.%d", 150+i))
		l.run("client", "ip", "address", "add", list[i]+"/24", "dev", "eth0")
	}
	return list
}

// fetch transfers MiB of a slow file to one of the client's addresses: four
// seconds each.
func (l *lab) fetch(from string, key api.Key, mib int) <-chan error {
	result := make(chan error, 1)
	part := fmt.Sprintf("0-%d", mib<<20-1)
	cmd := l.command("client", append(curl, "--fail", "--interface", from, "--range", part, url(key, "slow/64m.bin"))...)
	var got bytes.Buffer
	cmd.Stdout, cmd.Stderr = &got, os.Stderr
	go func() {
		want, err := os.ReadFile(filepath.Join(root, "build/lab/64m.bin"))
		if err = errors.Join(err, cmd.Run()); err == nil && !bytes.Equal(got.Bytes(), want[:mib<<20]) {
			err = fmt.Errorf("%s: got other bytes than were sent, %d of them", from, got.Len())
		}
		result <- err
	}()
	return result
}

// Flows towards a server behind two routers are shared by both. When a next hop is
// taken out of the route, or a router falls silent, running transfers go on over
// the other one; when it is back they are shared again.
func TestRouteOverTwoRouters(t *testing.T) {
	l := newLab(t)
	d := l.start(setup{})
	s := l.service("fullnat", "tcp")
	s.Backends = []api.Backend{{Address: l.behindRouters(t), Port: 80}}
	key := d.put(s)
	// A silent router is noticed by the kernel; faster than by default.
	l.run("gw", "sysctl", "-q", "-w", "net.ipv4.neigh.sl-lan.base_reachable_time_ms=500",
		"net.ipv4.neigh.sl-lan.delay_first_probe_time=1", "net.ipv4.neigh.sl-lan.retrans_time_ms=50", "net.ipv4.neigh.sl-lan.interval_probe_time_ms=200")
	clients := l.clients(12)
	run := func(mib int) (all []<-chan error) {
		for _, from := range clients {
			all = append(all, l.fetch(from, key, mib))
		}
		eventually(t, "all transfers run", func() bool { return d.established(netip.AddrPort{}) == len(clients) })
		return all
	}
	forwarded := func(router string) int { return l.counter(router, "Ip", "ForwDatagrams") }
	// moves waits until packets take one way and no other.
	moves := func(to, from string) {
		t.Helper()
		eventually(t, "all flows go over "+to, func() bool {
			a, b := forwarded(to), forwarded(from)
			eventually(t, "packets go over "+to, func() bool { return forwarded(to) > a+2*len(clients) })
			return forwarded(from) == b
		})
	}

	eventually(t, "both routers are resolved", func() bool {
		return strings.Count(l.run("gw", "ip", "neighbor", "show", "dev", "sl-lan"), "lladdr") >= 2 && l.reachable("10.0.0.51") && l.reachable("10.0.0.52")
	})
	all := run(3)
	a, b := forwarded("r1"), forwarded("r2")
	eventually(t, "both routers carry flows", func() bool { return forwarded("r1") > a && forwarded("r2") > b })

	l.run("gw", "ip", "route", "replace", "10.9.0.0/24", "via", "10.0.0.52", "dev", "sl-lan")
	moves("r2", "r1")
	l.run("gw", "ip", "route", "replace", "10.9.0.0/24", "nexthop", "via", "10.0.0.51", "dev", "sl-lan", "nexthop", "via", "10.0.0.52", "dev", "sl-lan")
	a = forwarded("r1")
	eventually(t, "the first router carries flows again", func() bool { return forwarded("r1") > a })

	l.run("lan", "ip", "link", "set", "dev", "r2-eth0", "down")
	moves("r1", "r2")
	assert.Equal(t, len(clients), d.established(netip.AddrPort{}), "all this happened under them")
	l.run("lan", "ip", "link", "set", "dev", "r2-eth0", "up")
	l.finish(all)

	b = forwarded("r2")
	eventually(t, "the second router answers again", func() bool { return l.reachable("10.0.0.52") })
	l.finish(run(1))
	require.Greater(t, forwarded("r2"), b)
	d.stop()
}

// reachable says whether the gateway's kernel knows a host's link address.
func (l *lab) reachable(addr string) bool {
	for line := range strings.Lines(l.run("gw", "ip", "neighbor", "show", addr, "dev", "sl-lan")) {
		if strings.Contains(line, "lladdr") && !strings.Contains(line, "FAILED") {
			return true
		}
	}
	return false
}
