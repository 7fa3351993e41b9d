package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sluice-lb/sluice/ctl/api"
)

// Status returns the daemon at a glance.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	out, _, err := get[api.Status](ctx, c, "/v1/status")
	return out, err
}

// Ports returns the ports and their counters.
func (c *Client) Ports(ctx context.Context) ([]api.Port, error) {
	out, _, err := get[api.PortList](ctx, c, "/v1/ports")
	return out.Ports, err
}

// Workers returns the workers and their counters.
func (c *Client) Workers(ctx context.Context) ([]api.Worker, error) {
	out, _, err := get[api.WorkerList](ctx, c, "/v1/workers")
	return out.Workers, err
}

// Verdicts returns how many packets ended which way, those that none did included.
func (c *Client) Verdicts(ctx context.Context) ([]api.Verdict, error) {
	out, _, err := get[api.VerdictList](ctx, c, "/v1/verdicts")
	return out.Verdicts, err
}

// Counters returns the traffic of a service, or of all if service is nil.
func (c *Client) Counters(ctx context.Context, service *api.Key) ([]api.ServiceCounters, error) {
	path := "/v1/counters"
	if service != nil {
		path += "?service=" + url.QueryEscape(service.String())
	}
	out, _, err := get[api.CounterList](ctx, c, path)
	return out.Services, err
}

// LocalPorts returns how much of fullnat's local ports is in use.
func (c *Client) LocalPorts(ctx context.Context) (api.LocalPorts, error) {
	out, _, err := get[api.LocalPorts](ctx, c, "/v1/local-ports")
	return out, err
}

// Services returns all services and the revision.
func (c *Client) Services(ctx context.Context) (api.ServiceList, error) {
	out, _, err := get[api.ServiceList](ctx, c, "/v1/services")
	return out, err
}

// Service returns a service and the revision of the configuration that it is
// from.
func (c *Client) Service(ctx context.Context, key api.Key) (s api.Service, revision uint64, err error) {
	return get[api.Service](ctx, c, servicePath(key))
}

// Flows calls emit for every flow that filter chooses, as they arrive. It
// returns emit's error if that returns one. An error after the first flows
// means that the list is incomplete.
func (c *Client) Flows(ctx context.Context, filter api.FlowFilter, emit func(api.Flow) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when emit does
	res, err := c.do(ctx, request{method: http.MethodGet, path: "/v1/flows" + flowQuery(filter)})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for d := json.NewDecoder(bufio.NewReaderSize(res.Body, 64<<10)); ; {
		var f api.Flow
		if err := d.Decode(&f); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("list of flows: cut short: %w: the log of sluiced says why", err)
		}
		if err := emit(f); err != nil {
			return err
		}
	}
}

func flowQuery(f api.FlowFilter) string {
	q := url.Values{}
	if f.Service != nil {
		q.Set("service", f.Service.String())
	}
	if f.Client.IsValid() {
		q.Set("client", f.Client.String())
	}
	if f.Backend.Port() != 0 {
		q.Set("backend", f.Backend.String())
	} else if f.Backend.Addr().IsValid() {
		q.Set("backend", f.Backend.Addr().String())
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}
