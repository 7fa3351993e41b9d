package main

import (
	"math/rand/v2"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
)

// harm makes one change at a rough site that may cost connections, or, where
// docs/decisions/live.md says so, must not.
func (s *soak) harm(p *phase, to *site, r *rand.Rand) {
	pause := time.Duration(20+r.IntN(300)) * time.Millisecond
	switch what := r.IntN(5); {
	case what == 0:
		s.removeBackends(p, to, pause, r.IntN(2))
	case what == 1:
		s.removeBackends(p, to, pause, 0, 1)
	case to.key.Port == modePort:
		s.changeMode(to, r)
	case to.key.Port == localPort:
		s.changeLocals(to, r)
	default:
		s.removeService(p, to, pause)
	}
}

// removeBackends takes servers away for a while. Connections on them lose
// packets; without any, new ones are refused.
func (s *soak) removeBackends(p *phase, to *site, pause time.Duration, which ...int) {
	defer s.harms.begin(to.key, "a backend was removed")()
	for _, i := range which {
		s.change("backend remove", func() error {
			_, err := s.api.DeleteBackend(ctx, to.key, to.backend(i), nil)
			return err
		})
	}
	p.sleep(pause)
	for _, i := range which {
		s.change("backend add", func() error { return s.putBackend(to, i, 1) })
	}
}

// removeService takes a service away for a while.
func (s *soak) removeService(p *phase, to *site, pause time.Duration) {
	defer s.harms.begin(to.key, "the service was removed")()
	s.change("rough remove", func() error { _, err := s.api.DeleteService(ctx, to.key, nil); return err })
	p.sleep(pause)
	s.change("rough add", func() error { _, err := s.api.PutService(ctx, to.service, nil); return err })
}

// changeMode gives new flows another mode; old ones keep theirs and lose nothing.
func (s *soak) changeMode(to *site, r *rand.Rand) {
	changed := to.service
	changed.Mode = []string{"dr", "nat", "fullnat", "tun"}[r.IntN(4)]
	changed.LocalAddresses, changed.Backends = s.lab.locals(changed.Mode, to.servers), nil
	defer s.modeHarm(to)()
	s.change("mode", func() error { _, err := s.api.PutService(ctx, changed, nil); return err })
}

// modeHarm: with several workers a change between nat and another mode changes
// which worker a packet is sought at (docs/decisions/live.md). It goes on for as
// long as a connection may last that began before.
func (s *soak) modeHarm(to *site) (end func()) {
	if s.workers == 1 || to.key.Port != modePort {
		return func() {}
	}
	return s.harms.begin(to.key, "the mode changed, with several workers")
}

// changeLocals: old flows keep their local address, new ones get others.
func (s *soak) changeLocals(to *site, r *rand.Rand) {
	changed, first := to.service, s.lab.addr("local", to.servers)
	sets := [][]string{{first.String()}, {first.Next().String()}, {first.String(), first.Next().String()}}
	changed.LocalAddresses, changed.Backends = sets[r.IntN(len(sets))], nil
	s.change("local addresses", func() error { _, err := s.api.PutService(ctx, changed, nil); return err })
}

// restore makes the configuration and the network what they were.
func (s *soak) restore() (api.ServiceList, error) {
	if err := s.reload(); err != nil {
		return api.ServiceList{}, err
	}
	return s.api.Services(ctx)
}
