package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
)

// extras is how many services come and go that nobody uses but strangers.
const extras = 40

// churn starts the changes of configuration: twenty to thirty a second.
func (s *soak) churn(p *phase) error {
	p.loop(20*time.Millisecond, s.weigh)
	p.loop(500*time.Millisecond, s.reschedule)
	p.loop(200*time.Millisecond, s.spare)
	for range 2 {
		p.loop(100*time.Millisecond, s.extra)
	}
	for _, site := range s.rough {
		p.loop(5*time.Second, func(r *rand.Rand) { s.harm(p, site, r) })
	}
	p.loop(500*time.Millisecond, func(*rand.Rand) { _, err := s.scrape(); s.tally.done("scrape", err) })
	p.loop(time.Second, s.list)
	p.loop(10*time.Second, func(*rand.Rand) { s.tally.done("reload", s.reload()) })
	return nil
}

var ctx = context.Background()

// change makes one change of the configuration; nobody else makes one meanwhile.
func (s *soak) change(kind string, do func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.done("change "+kind, do())
}

// weigh changes a weight; one of the two servers always takes new flows.
func (s *soak) weigh(r *rand.Rand) {
	to, i, weight := s.steady[r.IntN(len(s.steady))], r.IntN(2), uint32(r.IntN(5))
	s.change("weight", func() error {
		if to.weights[1-i] == 0 && weight == 0 {
			weight = 1
		}
		to.weights[i] = weight
		return s.putBackend(to, i, weight)
	})
}

func (s *soak) putBackend(to *site, i int, weight uint32) error {
	b := to.service.Backends[i]
	b.Weight = &weight
	_, err := s.api.PutBackend(ctx, to.key, b, nil)
	return err
}

func (s *soak) reschedule(r *rand.Rand) {
	to, name := s.steady[r.IntN(len(s.steady))], []string{"rr", "wrr"}[r.IntN(2)]
	s.change("scheduler", func() error {
		changed := to.service
		changed.Scheduler, changed.Backends = name, nil
		_, err := s.api.PutService(ctx, changed, nil)
		return err
	})
}

// spare adds a backend without weight to a steady site, or removes it.
func (s *soak) spare(r *rand.Rand) {
	to, remove := s.steady[r.IntN(len(s.steady))], r.IntN(2) == 0
	b := api.Backend{Address: s.lab.ghost(r, "back", to.servers), Port: to.key.Port, Weight: new(uint32)}
	s.change("spare backend", func() error {
		if _, err := s.api.PutBackend(ctx, to.key, b, nil); err != nil {
			return err
		}
		if !remove {
			return nil
		}
		addr, err := api.NewEndpoint(b.Address, fmt.Sprint(b.Port))
		if err != nil {
			return err
		}
		_, err = s.api.DeleteBackend(ctx, to.key, addr, nil)
		return err
	})
}

// extra adds a service, on an address of its own or not, or removes it.
func (s *soak) extra(r *rand.Rand) {
	e := s.lab.extra(r)
	if r.IntN(2) == 0 {
		s.change("service add", func() error { _, err := s.api.PutService(ctx, e, nil); return err })
		return
	}
	s.change("service remove", func() error {
		key, err := e.Key()
		if err == nil {
			_, err = s.api.DeleteService(ctx, key, nil)
		}
		return ignoreMissing(err)
	})
}

// ignoreMissing takes the refusal to remove what is not there for the answer
// that it is.
func ignoreMissing(err error) error {
	if api.IsKind(err, api.NotFound) {
		return nil
	}
	return err
}

// extra is one of the services that come and go, with some backends that do not
// answer and one that does.
func (l *lab) extra(r *rand.Rand) api.Service {
	n := r.IntN(extras)
	w := ways[n%len(ways)]
	vip := l.addr(w.vip(), w.family)
	if n%3 == 0 {
		vip = nth(vip, 50+n) // none that anybody else has
	}
	s := api.Service{Protocol: []string{"tcp", "udp"}[n/len(ways)%2], Address: vip.String(), Port: uint16(20000 + n), Mode: w.mode,
		Scheduler: "wrr", LocalAddresses: l.locals(w.mode, w.servers)}
	s.Backends = append(s.Backends, api.Backend{Address: l.addr("rs1", w.servers).String()})
	ghost := netip.MustParseAddr(l.ghost(r, "back", w.servers))
	for i := range r.IntN(4) {
		s.Backends = append(s.Backends, api.Backend{Address: nth(ghost, i).String()})
	}
	return s
}

// list lists all flows, or gives up after some, as readers do.
func (s *soak) list(r *rand.Rand) {
	stop, n := 1+r.IntN(5000), 0
	err := s.api.Flows(ctx, api.FlowFilter{}, func(api.Flow) error {
		if n++; n == stop {
			return errEnough
		}
		return nil
	})
	if err == errEnough {
		err = nil
	}
	s.tally.done("list flows", err)
}

var errEnough = errors.New("enough")

// reload makes the services those of the configuration file: those that were
// added go, weights are 1 again.
func (s *soak) reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, site := range s.rough {
		defer s.modeHarm(site)()
	}
	for _, site := range s.steady {
		site.weights = [2]uint32{1, 1}
	}
	_, err := s.api.Reload(ctx)
	return err
}

// scrape reads /metrics from the control socket.
func (s *soak) scrape() (map[string]float64, error) {
	transport := &http.Transport{DialContext: s.dialControl}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: patience}).Get("http://sluice/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET /metrics: %s", res.Status)
	}
	return parseMetrics(res.Body)
}

// describe is a list of services, sorted, for comparing configurations: those that
// were removed meanwhile stand behind the others.
func describe(list []api.Service) string {
	var lines []string
	for _, s := range list {
		line := fmt.Sprintf("%s:%s:%d %s %s %v", s.Protocol, s.Address, s.Port, s.Mode, s.Scheduler, s.LocalAddresses)
		var backends []string
		for _, b := range s.Backends {
			backends = append(backends, fmt.Sprintf(" %s:%d*%d", b.Address, b.Port, b.EffectiveWeight()))
		}
		slices.Sort(backends)
		lines = append(lines, line+strings.Join(backends, ""))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
