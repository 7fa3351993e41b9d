package e2e

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// carrier says whether a gateway's twin has one.
func (l *lab) carrier() bool {
	return !strings.Contains(l.run("gw", "ip", "-o", "link", "show", "dev", "sl-lan"), "NO-CARRIER")
}

// The twin follows its port: MAC and MTU from the start; when the cable is pulled
// it has no carrier, its routes are dead and packets of flows are dropped by name;
// when it is back, transfers that began before go on.
func TestTwinFollowsPort(t *testing.T) {
	l := newLab(t)
	for _, host := range []string{"client", "rs1"} {
		l.run(host, "ip", "link", "set", "dev", "eth0", "mtu", "1400")
	}
	d := l.start(setup{Config: port("mtu", 1400)})
	shown := l.run("gw", "ip", "-o", "link", "show", "dev", "sl-lan")
	assert.Contains(t, shown, "mtu 1400 ")
	assert.Contains(t, shown, l.mac("gw").String())
	require.True(t, l.carrier())
	key := d.add("fullnat", "tcp", "rs1")
	all := l.transfers(2, key, "slow/1m.bin")
	eventually(t, "2 transfers run", func() bool { return d.established(netip.AddrPort{}) == 2 })

	l.run("lan", "ip", "link", "set", "dev", "gw-eth0", "down")
	eventually(t, "the twin loses its carrier", func() bool { return !l.carrier() })
	assert.Contains(t, l.run("gw", "ip", "route"), "linkdown")
	ports, err := d.Ports(ctx)
	require.NoError(t, err)
	assert.Equal(t, "down", ports[0].Link)

	l.run("lan", "ip", "link", "set", "dev", "gw-eth0", "up")
	eventually(t, "the twin has a carrier again", l.carrier)
	l.finish(all)
	d.stop()
}

// A daemon that starts while the cable is out serves as soon as it is in.
func TestStartWithoutLink(t *testing.T) {
	l := newLab(t)
	l.run("lan", "ip", "link", "set", "dev", "gw-eth0", "down")
	d := l.launch(setup{})
	eventually(t, "the daemon answers", func() bool { _, err := d.Status(ctx); return err == nil })
	eventually(t, "the twin has no carrier", func() bool { return !l.carrier() })
	key := d.add("fullnat", "tcp", "rs1")
	l.run("lan", "ip", "link", "set", "dev", "gw-eth0", "up")
	eventually(t, "the twin has a carrier", l.carrier)
	d.ready()
	server, err := l.get(key, "late")
	require.NoError(t, err)
	assert.Equal(t, "rs1", server)
	d.stop()
}

// The link of one port of two fails: what would leave there is dropped by name for
// want of a route, and the flow goes on when it is back.
func TestLinkFailsUnderAFlow(t *testing.T) {
	l := newLab(t)
	l.join("far", "10.9.0.2/24")
	l.run("gw", "ip", "link", "add", "eth1", "type", "veth", "peer", "name", "gw-eth1", "netns", l.ns("lan"))
	l.run("gw", "ip", "link", "set", "eth1", "up")
	for _, args := range [][]string{
		{"ip", "link", "add", "wan", "type", "bridge"}, {"ip", "link", "set", "wan", "up"},
		{"ip", "link", "set", "gw-eth1", "master", "wan", "up"}, {"ip", "link", "set", "far-eth0", "master", "wan"},
		{"ethtool", "-K", "gw-eth1", "tx", "off", "rx", "off"},
	} {
		l.run("lan", args...)
	}
	config := port("name", "lan")
	config["ports"] = append(config["ports"].([]any), map[string]any{
		"name": "wan", "device": "net_af_packet1,iface=eth1", "twin": "sl-wan", "addresses": []string{"10.9.0.1/24"}})
	d := l.start(setup{Config: config})

	s := l.service("fullnat", "tcp")
	s.LocalAddresses, s.Backends = []string{"10.9.0.9"}, []api.Backend{{Address: "10.9.0.2", Port: 7}}
	key := d.put(s)
	l.echo("far", 7)
	var conn net.Conn
	l.in("client", func() (err error) {
		conn, err = net.Dial("tcp4", netip.AddrPortFrom(key.Address, key.Port).String())
		return err
	})
	defer conn.Close()
	say := func(word string) {
		t.Helper()
		_, err := conn.Write([]byte(word))
		require.NoError(t, err)
	}
	hear := func(word string) {
		t.Helper()
		answer := make([]byte, len(word))
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
		_, err := io.ReadFull(conn, answer)
		require.NoError(t, err)
		require.Equal(t, word, string(answer))
	}
	say("before")
	hear("before")

	l.run("lan", "ip", "link", "set", "dev", "gw-eth1", "down")
	eventually(t, "the twin loses its carrier", func() bool {
		return strings.Contains(l.run("gw", "ip", "-o", "link", "show", "dev", "sl-wan"), "NO-CARRIER")
	})
	dropped := d.verdict("no-route")
	say("meanwhile")
	eventually(t, "packets of the flow are dropped by name", func() bool { return d.verdict("no-route") > dropped })
	l.run("lan", "ip", "link", "set", "dev", "gw-eth1", "up")
	hear("meanwhile")
	say("after")
	hear("after")
	require.NoError(t, conn.Close())
	d.stop()
}

// echo answers whatever connects to a port of a host with what it says.
func (l *lab) echo(host string, port int) {
	l.t.Helper()
	var listener net.Listener
	l.in(host, func() (err error) {
		listener, err = net.Listen("tcp4", fmt.Sprintf(":%d", port))
		return err
	})
	l.t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); conn.Close() }()
		}
	}()
}
