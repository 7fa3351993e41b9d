package server

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-lb/sluice/ctl/api"
)

type none struct{}

// reply is an answer with a body only.
type reply[T any] struct{ Body T }

// tagged is an answer that belongs to a revision of the configuration.
type tagged[T any] struct {
	ETag string `header:"ETag" doc:"Revision of the configuration, in quotes; send it back in If-Match."`
	Body T
}

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// ServicePath names a service in a request's path. The parts are parsed by
// api.NewKey, whose errors say more than a schema's.
type ServicePath struct {
	Protocol string `path:"protocol" doc:"tcp or udp." example:"tcp"`
	Address  string `path:"address" doc:"Virtual address." example:"10.0.0.100"`
	Port     string `path:"port" doc:"Virtual port." example:"80"`
}

func (p ServicePath) key() (api.Key, error) { return api.NewKey(p.Protocol, p.Address, p.Port) }

func (s *Server) registerReads(a huma.API) {
	registerGet(a, "/v1/status", "get-status", "The daemon at a glance",
		"Version, uptime, sizes and how much of them is in use.",
		func() api.Status { return s.engine.Status() })
	registerGet(a, "/v1/ports", "list-ports", "Ports",
		"DPDK ports, their twins in the kernel, and their counters.",
		func() api.PortList { return api.PortList{Ports: notNil(s.engine.Ports())} })
	registerGet(a, "/v1/workers", "list-workers", "Workers",
		"Poll loops. For each, received + generated = transmitted + to_kernel + handed_over + dropped.",
		func() api.WorkerList { return api.WorkerList{Workers: notNil(s.engine.Workers())} })
	registerGet(a, "/v1/verdicts", "list-verdicts", "Verdicts",
		"How many packets ended which way; every packet counts once.",
		func() api.VerdictList { return api.VerdictList{Verdicts: notNil(s.engine.Verdicts())} })

	huma.Register(a, operation(a, http.MethodGet, "/v1/local-ports", "list-local-ports", "Local ports",
		"How much of fullnat's local ports is in use: by service, and by local address."), s.listLocalPorts)
	huma.Register(a, operation(a, http.MethodGet, "/v1/services", "list-services", "All services",
		"All services with their backends, at one revision."), s.listServices)
	huma.Register(a, operation(a, http.MethodGet, "/v1/services/{protocol}/{address}/{port}", "get-service", "One service",
		"A service with its backends.", api.Invalid, api.NotFound), s.getService)
	huma.Register(a, operation(a, http.MethodGet, "/v1/counters", "list-counters", "Counters",
		"Traffic of services and their backends, of all or one.", api.Invalid, api.NotFound), s.listCounters)
}

func registerGet[T any](a huma.API, path, id, summary, description string, get func() T) {
	huma.Register(a, operation(a, http.MethodGet, path, id, summary, description),
		func(context.Context, *none) (*reply[T], error) { return &reply[T]{get()}, nil })
}

// notNil makes sure that an empty list is written as [], not null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) listServices(context.Context, *none) (*tagged[api.ServiceList], error) {
	list := s.engine.Services()
	list.Services = notNil(list.Services)
	return &tagged[api.ServiceList]{etag(list.Revision), list}, nil
}

func (s *Server) getService(_ context.Context, in *ServicePath) (*tagged[api.Service], error) {
	key, err := in.key()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	list := s.engine.Services()
	service, err := list.Find(key)
	if err != nil {
		return nil, api.NewProblem(err)
	}
	return &tagged[api.Service]{etag(list.Revision), service}, nil
}

func (s *Server) listLocalPorts(ctx context.Context, _ *none) (*reply[api.LocalPorts], error) {
	out, err := s.engine.LocalPorts(ctx)
	if err != nil {
		return nil, api.NewProblem(err)
	}
	out.Services, out.Addresses = notNil(out.Services), notNil(out.Addresses)
	return &reply[api.LocalPorts]{out}, nil
}

type countersInput struct {
	Service string `query:"service" doc:"Only this service." example:"tcp:10.0.0.100:80"`
}

func (s *Server) listCounters(_ context.Context, in *countersInput) (*reply[api.CounterList], error) {
	all := s.engine.Counters()
	if in.Service == "" {
		return &reply[api.CounterList]{api.CounterList{Services: notNil(all)}}, nil
	}
	key, err := api.ParseKey(in.Service)
	if err != nil {
		return nil, api.NewProblem(err)
	}
	for _, c := range all {
		if c.Protocol == key.Protocol && c.Port == key.Port && c.Address == key.Address.String() {
			return &reply[api.CounterList]{api.CounterList{Services: []api.ServiceCounters{c}}}, nil
		}
	}
	return nil, api.NewProblem(api.NoService(key))
}
