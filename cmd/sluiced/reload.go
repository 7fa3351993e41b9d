package main

import (
	"context"
	"errors"
	"strings"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/ctl/server"
)

// Reload reads the configuration file again and makes the services those in it,
// as one change; a file without a list of services leaves them alone. A file
// with anything wrong in it changes nothing. What else differs from what runs is
// named, and takes effect at the next start.
func (e *engine) Reload(ctx context.Context) (api.Reload, error) {
	e.reloading.Lock()
	defer e.reloading.Unlock()
	notify(e.log, reloading())
	defer notify(e.log, sd.SdNotifyReady)
	done, err := e.reload(ctx)
	if err != nil {
		what := "reload refused"
		if errors.As(err, new(server.InForce)) {
			what = "reloaded, not all of it"
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			e.log.Error(what, "error", line)
		}
		return done, err
	}
	e.log.Info("reloaded", "file", e.file, "revision", done.Revision, "services", done.Services)
	for _, key := range done.NeedsRestart {
		e.log.Warn("needs a restart: "+key, "file", e.file)
	}
	return done, nil
}

func (e *engine) reload(ctx context.Context) (done api.Reload, err error) {
	next, err := e.reread()
	if err != nil {
		return done, wrongFile(err)
	}
	done = api.Reload{Services: next.Services != nil, NeedsRestart: e.config.Differences(next), Revision: e.plane.store.Load().Revision}
	if done.Services {
		done.Revision, err = e.Change(ctx, api.Change{Edit: api.ReplaceServices{Services: next.Services}})
	}
	return done, err
}

// wrongFile is what is wrong with the file in the control socket's words: each
// line reads `key: value: why: what to do`.
func wrongFile(err error) error {
	var wrong *config.Error
	if !errors.As(err, &wrong) {
		return err
	}
	var out api.Errors
	for _, line := range wrong.Lines {
		key, rest, _ := strings.Cut(line, ": ")
		out = append(out, &api.Error{Kind: api.Invalid, Field: wrong.File + ": " + key, Why: rest})
	}
	return out
}
