package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Condition makes a write depend on the revision.
type Condition struct {
	IfMatch string `header:"If-Match" doc:"Write only if the configuration still is at this revision, given in quotes as in an ETag; otherwise answer 412." example:"\"17\""`
}

// revision parses the condition; nil: there is none.
func (c Condition) revision() (*uint64, error) {
	if c.IfMatch == "" {
		return nil, nil
	}
	text := strings.TrimSuffix(strings.TrimPrefix(c.IfMatch, `"`), `"`)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, &api.Error{Kind: api.Invalid, Field: "If-Match", Value: c.IfMatch,
			Why: "not a revision", Remedy: `send one as an ETag gave it, such as "17"`}
	}
	return &n, nil
}

// DeleteServiceInput names a service to write to. It is exported, as are
// ServicePath, Condition and DeleteBackendInput, because huma looks into no other
// embedded types.
type DeleteServiceInput struct {
	ServicePath
	Condition
}

type putServiceInput struct {
	DeleteServiceInput
	RawBody []byte `contentType:"application/json"`
}

// DeleteBackendInput names a backend to write to.
type DeleteBackendInput struct {
	ServicePath
	BackendAddress string `path:"backend_address" doc:"Address of the real server." example:"10.0.1.11"`
	BackendPort    string `path:"backend_port" doc:"Port of the real server; for dr and tun the service's." example:"80"`
	Condition
}

func (in DeleteBackendInput) backend() (netip.AddrPort, error) {
	return api.NewEndpoint(in.BackendAddress, in.BackendPort)
}

type putBackendInput struct {
	DeleteBackendInput
	RawBody []byte `contentType:"application/json"`
}

type replaceInput struct {
	Condition
	RawBody []byte `contentType:"application/json"`
}

var writeErrors = []api.Kind{api.Malformed, api.Invalid, api.NotFound, api.Conflict, api.Stale, api.Exhausted}

func (s *Server) registerWrites(a huma.API) {
	const one = "/v1/services/{protocol}/{address}/{port}"
	const backend = one + "/backends/{backend_address}/{backend_port}"
	tooLarge := append([]api.Kind{api.TooLarge}, writeErrors...)

	op := withBody(operation(a, http.MethodPut, "/v1/services", "replace-services", "Replace all services",
		"Makes the services exactly these. Flows of services and backends that stay go on. "+
			"A revision other than 0 in the body has the effect of If-Match.", tooLarge...), "All services.", maxAll, true)
	huma.Register(a, op, s.replaceServices)
	documentBody(op, relaxed[api.ServiceList](a, "ServiceListPut", "services"), true)

	op = withBody(operation(a, http.MethodPut, one, "put-service", "Add or change a service",
		"Without backends in the body it keeps those it has, with them they are replaced. "+
			"Protocol, address and port are the path's; the body may repeat them.", tooLarge...), "The service.", maxOne, true)
	huma.Register(a, op, s.putService)
	documentBody(op, relaxed[api.Service](a, "ServicePut", "mode"), true)

	huma.Register(a, operation(a, http.MethodDelete, one, "delete-service", "Remove a service",
		"Removes the service and its backends. Packets of its flows are dropped from then on.", writeErrors...), s.deleteService)

	op = withBody(operation(a, http.MethodPut, backend, "put-backend", "Add a backend or change its weight",
		"A backend that is removed and added again is the same one: its counters and flows go on. "+
			"The body may be empty: weight 1.", tooLarge...), "The backend.", maxOne, false)
	huma.Register(a, op, s.putBackend)
	documentBody(op, relaxed[api.Backend](a, "BackendPut"), false)

	huma.Register(a, operation(a, http.MethodDelete, backend, "delete-backend", "Remove a backend",
		"Packets of its flows are dropped from then on; to let them finish, set its weight to 0 first.", writeErrors...), s.deleteBackend)
}

func (s *Server) registerReload(a huma.API) {
	huma.Register(a, operation(a, http.MethodPost, "/v1/reload", "reload", "Read the configuration file again",
		"Makes the services exactly those of the daemon's configuration file, all or, if anything in the file is wrong, none; as SIGHUP does. "+
			"The rest of the file takes effect at the next start; the answer names what differs.", writeErrors...),
		func(ctx context.Context, _ *none) (*tagged[api.Reload], error) {
			done, err := s.engine.Reload(ctx)
			if err != nil {
				return nil, api.NewProblem(err)
			}
			done.NeedsRestart = notNil(done.NeedsRestart)
			return &tagged[api.Reload]{etag(done.Revision), done}, nil
		})
}

type written = tagged[api.Revision]

// change hands an edit to the engine.
func (s *Server) change(ctx context.Context, cond Condition, edit api.Edit) (*written, error) {
	revision, err := cond.revision()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	now, err := s.engine.Change(ctx, api.Change{If: revision, Edit: edit})
	switch {
	case errors.As(err, new(InForce)):
		s.log.Warn("change", "change", edit.String(), "revision", now, "error", err)
		return nil, api.NewProblem(err)
	case err != nil:
		s.log.Info("change refused", "change", edit.String(), "error", err)
		return nil, api.NewProblem(err)
	}
	s.log.Info("change", "change", edit.String(), "revision", now)
	return &written{etag(now), api.Revision{Revision: now}}, nil
}

func (s *Server) replaceServices(ctx context.Context, in *replaceInput) (*written, error) {
	var list api.ServiceList
	if err := api.DecodeJSON(in.RawBody, &list); err != nil {
		return nil, api.NewProblem(err)
	}
	if list.Services == nil {
		return nil, api.NewProblem(&api.Error{Kind: api.Invalid, Field: "services", Why: "list of services is missing",
			Remedy: "to remove all services send an empty list"})
	}
	if list.Revision != 0 && in.IfMatch == "" {
		in.IfMatch = etag(list.Revision)
	}
	return s.change(ctx, in.Condition, api.ReplaceServices{Services: list.Services})
}

func (s *Server) putService(ctx context.Context, in *putServiceInput) (*written, error) {
	key, err := in.key()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	var service api.Service
	if err := api.DecodeJSON(in.RawBody, &service); err != nil {
		return nil, api.NewProblem(err)
	}
	err = agree(key.Protocol, &service.Protocol, "protocol")
	if err == nil {
		err = agreeEndpoint(netip.AddrPortFrom(key.Address, key.Port), &service.Address, &service.Port)
	}
	if err != nil {
		return nil, api.NewProblem(err)
	}
	return s.change(ctx, in.Condition, api.PutService{Service: service})
}

func (s *Server) deleteService(ctx context.Context, in *DeleteServiceInput) (*written, error) {
	key, err := in.key()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	return s.change(ctx, in.Condition, api.DeleteService{Service: key})
}

func (s *Server) putBackend(ctx context.Context, in *putBackendInput) (*written, error) {
	key, err := in.key()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	ep, err := in.backend()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	var backend api.Backend
	if len(in.RawBody) > 0 {
		err = api.DecodeJSON(in.RawBody, &backend)
	}
	if err == nil {
		err = agreeEndpoint(ep, &backend.Address, &backend.Port)
	}
	if err != nil {
		return nil, api.NewProblem(err)
	}
	return s.change(ctx, in.Condition, api.PutBackend{Service: key, Backend: backend})
}

func (s *Server) deleteBackend(ctx context.Context, in *DeleteBackendInput) (*written, error) {
	key, err := in.key()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	ep, err := in.backend()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	return s.change(ctx, in.Condition, api.DeleteBackend{Service: key, Backend: ep})
}

// agreeEndpoint fills in an address and a port from the path.
func agreeEndpoint(path netip.AddrPort, address *string, port *uint16) error {
	if addr, err := netip.ParseAddr(*address); err == nil {
		*address = addr.String()
	}
	if err := agree(path.Addr().String(), address, "address"); err != nil {
		return err
	}
	return agree(path.Port(), port, "port")
}

// agree fills in from the path what the body left out, and refuses a body that
// says something else.
func agree[T comparable](path T, body *T, field string) error {
	var missing T
	if *body != missing && *body != path {
		return &api.Error{Kind: api.Invalid, Field: field, Value: fmt.Sprint(*body),
			Why: fmt.Sprintf("the path says %v", path), Remedy: "leave it out of the body"}
	}
	*body = path
	return nil
}
