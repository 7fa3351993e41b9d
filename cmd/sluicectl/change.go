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
	list, err := c.client.Services(ctx)
	if err != nil {
		return false, err
	}
	var now *api.Service
	if s, err := list.Find(key); err == nil {
		now = &s
	}
	next, err := look(now)
	if errors.Is(err, errUnchanged) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	_, err = c.client.PutService(ctx, next, &list.Revision)
	return err == nil, err
}
