package main

import (
	"context"
	"errors"

	"github.com/sluice-lb/sluice/ctl/api"
)

// attempts is how often a change is tried again when others change the
// configuration at the same time. Each round somebody has succeeded.
const attempts = 50

// errUnchanged says that a service is already as wanted.
var errUnchanged = errors.New("unchanged")

// onService changes a service, or adds it, on the basis of what it is: look gets
// what there is (nil: nothing) and returns what is to be. The write happens only
// if nobody else wrote in between; otherwise look gets another look. changed is
// false when look returned errUnchanged.
func (c *cli) onService(ctx context.Context, key api.Key, look func(*api.Service) (api.Service, error)) (changed bool, err error) {
	for range attempts {
		changed, err = c.tryOnService(ctx, key, look)
		if !api.IsKind(err, api.Stale) {
			break
		}
	}
	return changed, err
}

func (c *cli) tryOnService(ctx context.Context, key api.Key, look func(*api.Service) (api.Service, error)) (changed bool, err error) {
	now, revision, err := c.lookUp(ctx, key)
	if err != nil {
		return false, err
	}
	next, err := look(now)
	if errors.Is(err, errUnchanged) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	_, err = c.client.PutService(ctx, next, &revision)
	return err == nil, err
}

// lookUp returns a service, or nil, and a revision at which that was so. The
// revision of a missing service is read first: if the configuration still is at
// it when the write comes, the service was missing all the time.
func (c *cli) lookUp(ctx context.Context, key api.Key) (*api.Service, uint64, error) {
	status, err := c.client.Status(ctx)
	if err != nil {
		return nil, 0, err
	}
	s, revision, err := c.client.Service(ctx, key)
	if api.IsKind(err, api.NotFound) {
		return nil, status.Revision, nil
	}
	return &s, revision, err
}
