package main

import (
	"context"
	"errors"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/sluice-lb/sluice/ctl/api"
)

func backendCmd(c *cli) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "backend",
		Short: "Backends of a service",
		Long: "Backends (real servers) of a service, written ADDR or ADDR:PORT, such as 10.0.1.11, 10.0.1.11:8080 or [2001:db8::11]:80.\n" +
			"Without a port the service's is meant.",
		Example: "  sluicectl backend add tcp:10.0.0.100:80 10.0.1.11 --weight 2\n" +
			"  sluicectl backend list tcp:10.0.0.100:80",
	})
	cmd.AddCommand(backendAddCmd(c), backendSetCmd(c), backendRemoveCmd(c), backendListCmd(c))
	return cmd
}

// target is a backend on the command line.
type target struct {
	service api.Key
	backend netip.AddrPort
}

func parseTarget(given []string) (t target, err error) {
	if t.service, err = parseKey(given[0]); err != nil {
		return t, err
	}
	t.backend, err = parseBackend(given[1], t.service)
	return t, err
}

func checkWeight(n int64) (uint32, error) {
	if n < 0 || n > api.MaxWeight {
		return 0, usagef("weight: %d: out of range: give 0 to %d", n, api.MaxWeight)
	}
	return uint32(n), nil
}

// onBackend is onService for one backend: look gets the backend there is (nil:
// none) and returns the weight it is to have.
func (c *cli) onBackend(ctx context.Context, t target, look func(*api.Backend) (uint32, error)) (changed bool, err error) {
	for range attempts {
		changed, err = c.tryOnBackend(ctx, t, look)
		if !api.IsKind(err, api.Stale) {
			break
		}
	}
	return changed, err
}

func (c *cli) tryOnBackend(ctx context.Context, t target, look func(*api.Backend) (uint32, error)) (changed bool, err error) {
	s, revision, err := c.client.Service(ctx, t.service)
	if err != nil {
		return false, err
	}
	var now *api.Backend
	if b, ok := s.FindBackend(t.backend); ok {
		now = &b
	}
	weight, err := look(now)
	if errors.Is(err, errUnchanged) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	b := api.Backend{Address: t.backend.Addr().String(), Port: t.backend.Port(), Weight: &weight}
	_, err = c.client.PutBackend(ctx, t.service, b, &revision)
	return err == nil, err
}
