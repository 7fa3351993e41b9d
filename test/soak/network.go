package main

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"time"
)

// Twins of the gateway's ports, and what strangers outside of all networks have
// for addresses; the gateway reaches them through the client.
const (
	frontTwin = "sl-front"
	backTwin  = "sl-back"
)

var strangers = map[string]string{"4": "198.18.0.0/15", "6": "2001:db8:18::/48"}

// disturb starts the changes of the network. Each is undone at once: connections
// see a short silence at worst.
func (s *soak) disturb(p *phase) error {
	if err := s.routeStrangers(); err != nil {
		return err
	}
	p.loop(2*time.Second, func(r *rand.Rand) {
		twin, family := []string{frontTwin, backTwin}[r.IntN(2)], family(r)
		s.ip("neighbors flushed", "gw", "-"+family, "neigh", "flush", "dev", twin)
	})
	p.loop(3*time.Second, func(r *rand.Rand) { s.detour(p, family(r)) })
	p.loop(4*time.Second, func(r *rand.Rand) { s.extraAddress(p, family(r)) })
	p.loop(8*time.Second, func(r *rand.Rand) {
		link := []string{"lan gw-eth0", "lan gw-eth1", "lan rs1-eth0", "lan client-eth0", "gw eth0", "gw eth1"}[r.IntN(6)]
		host, device, _ := strings.Cut(link, " ")
		s.flap(host, device, time.Duration(50+r.IntN(1000))*time.Millisecond)
	})
	return nil
}

func family(r *rand.Rand) string { return []string{"4", "6"}[r.IntN(2)] }

// ip changes the network of a host.
func (s *soak) ip(kind, host string, args ...string) {
	s.watch.note(host + ": " + kind + ": ip " + strings.Join(args, " "))
	_, err := s.lab.ip(host, args...)
	s.tally.done("network: "+kind, err)
}

// routeStrangers makes the gateway send packets for strangers to the client,
// whose kernel resets their connections; that of half of them.
func (s *soak) routeStrangers() error {
	for family, net := range strangers {
		if _, err := s.lab.ip("gw", "-"+family, "route", "replace", net, "via", s.lab.addr("client", family).String(), "dev", frontTwin); err != nil {
			return err
		}
		args := []string{"ip", "-" + family, "route", "replace", "local", net, "dev", "lo"}
		if _, err := output(exec.Command(args[0], args[1:]...)); err != nil {
			return err
		}
	}
	return nil
}

// detour gives one server a route of its own for a while.
func (s *soak) detour(p *phase, family string) {
	to := s.lab.addr("rs1", family).String()
	s.ip("route added", "gw", "-"+family, "route", "replace", to, "dev", backTwin)
	p.sleep(time.Second)
	s.ip("route removed", "gw", "-"+family, "route", "del", to, "dev", backTwin)
}

// extraAddress gives the gateway another address for a while.
func (s *soak) extraAddress(p *phase, family string) {
	prefix, nodad := fmt.Sprintf("%s/%d", nth(s.lab.addr("gw-back", family), 76), 24), []string{}
	if family == "6" {
		prefix, nodad = strings.Replace(prefix, "/24", "/64", 1), []string{"nodad"}
	}
	s.ip("address added", "gw", append([]string{"addr", "replace", prefix, "dev", backTwin}, nodad...)...)
	p.sleep(time.Second)
	s.ip("address removed", "gw", "addr", "del", prefix, "dev", backTwin)
}

// flap takes a link down and up again.
func (s *soak) flap(host, link string, pause time.Duration) {
	s.ip("link down", host, "link", "set", link, "down")
	time.Sleep(pause)
	s.ip("link up", host, "link", "set", link, "up")
}
