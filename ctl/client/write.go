package client

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"

	"github.com/sluice-lb/sluice/ctl/api"
)

// All writes return the revision of the configuration after them. With ifRev
// they happen only if the configuration is at that revision; otherwise the
// error is of kind api.Stale, and nothing has changed.

// ReplaceServices makes the services exactly these.
func (c *Client) ReplaceServices(ctx context.Context, services []api.Service, ifRev *uint64) (uint64, error) {
	if services == nil {
		services = []api.Service{}
	}
	body := struct {
		Services []api.Service `json:"services"`
	}{services}
	return c.write(ctx, request{http.MethodPut, "/v1/services", body, ifRev})
}

// PutService adds a service or changes it. Backends nil keeps those it has.
func (c *Client) PutService(ctx context.Context, s api.Service, ifRev *uint64) (uint64, error) {
	key, err := s.Key()
	if err != nil {
		return 0, err
	}
	return c.write(ctx, request{http.MethodPut, servicePath(key), body(s), ifRev})
}

// body leaves out backends that are nil, where [] would remove them all.
func body(s api.Service) any {
	if s.Backends != nil {
		return s
	}
	return struct {
		api.Service
		Backends *[]api.Backend `json:"backends,omitempty"`
	}{Service: s}
}

// DeleteService removes a service and its backends.
func (c *Client) DeleteService(ctx context.Context, key api.Key, ifRev *uint64) (uint64, error) {
	return c.write(ctx, request{http.MethodDelete, servicePath(key), nil, ifRev})
}

// PutBackend adds a backend or changes its weight. Its port must not be 0.
func (c *Client) PutBackend(ctx context.Context, key api.Key, b api.Backend, ifRev *uint64) (uint64, error) {
	addr, err := api.ParseAddress(b.Address)
	if err != nil {
		return 0, err
	}
	path := backendPath(key, netip.AddrPortFrom(addr, b.Port))
	return c.write(ctx, request{http.MethodPut, path, b, ifRev})
}

// DeleteBackend removes a backend.
func (c *Client) DeleteBackend(ctx context.Context, key api.Key, backend netip.AddrPort, ifRev *uint64) (uint64, error) {
	return c.write(ctx, request{http.MethodDelete, backendPath(key, backend), nil, ifRev})
}

// Reload makes the daemon read its configuration file again.
func (c *Client) Reload(ctx context.Context) (api.Reload, error) {
	var out api.Reload
	_, err := c.call(ctx, request{method: http.MethodPost, path: "/v1/reload"}, &out)
	return out, err
}

func (c *Client) write(ctx context.Context, r request) (uint64, error) {
	var out api.Revision
	_, err := c.call(ctx, r, &out)
	return out.Revision, err
}

func servicePath(key api.Key) string {
	return fmt.Sprintf("/v1/services/%s/%s/%d", key.Protocol, key.Address, key.Port)
}

func backendPath(key api.Key, b netip.AddrPort) string {
	return fmt.Sprintf("%s/backends/%s/%d", servicePath(key), b.Addr(), b.Port())
}
