// Package servertest runs the real control server, on a real Unix socket, over
// an engine that keeps services in memory and forwards nothing. It is for the
// tests of the server's clients.
//
// Runs on: goroutines of the test.
package servertest

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/server"
)

// Engine keeps services in memory. What it shows beside them is what its fields
// say, which a test sets before it starts the server.
type Engine struct {
	State     api.Status
	PortList  []api.Port
	Loops     []api.Worker
	Ends      []api.Verdict
	Traffic   []api.ServiceCounters
	Locals    api.LocalPorts
	FlowList  []api.Flow
	File      []api.Service // what Reload finds; nil: no list
	FileError error         // what is wrong with it
	Restart   []string      // what it says needs a restart
	FlowsFail error         // ends every list of flows, after FlowList

	FlowsEnded chan error // if set: receives what each list of flows ended with

	mu   sync.Mutex
	list api.ServiceList
}

var _ server.Engine = (*Engine)(nil)

// Status is State with the sizes of what is kept.
func (e *Engine) Status() api.Status {
	list := e.Services()
	out := e.State
	out.Revision, out.Services = list.Revision, len(list.Services)
	for _, s := range list.Services {
		out.Backends += len(s.Backends)
	}
	return out
}

// Ports is PortList.
func (e *Engine) Ports() []api.Port { return e.PortList }

// Workers is Loops.
func (e *Engine) Workers() []api.Worker { return e.Loops }

// Verdicts is Ends.
func (e *Engine) Verdicts() []api.Verdict { return e.Ends }

// Counters is Traffic.
func (e *Engine) Counters() []api.ServiceCounters { return e.Traffic }

// LocalPorts is Locals.
func (e *Engine) LocalPorts(context.Context) (api.LocalPorts, error) { return e.Locals, nil }

// Services returns what is kept.
func (e *Engine) Services() api.ServiceList {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list
}

// Change applies c, and knows the schedulers rr and wrr only.
func (e *Engine) Change(_ context.Context, c api.Change) (uint64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	next, err := c.Apply(e.list)
	if err != nil {
		return 0, err
	}
	for _, s := range next.Services {
		if s.Scheduler != "rr" && s.Scheduler != "wrr" {
			return 0, &api.Error{Kind: api.Invalid, Field: "scheduler", Value: s.Scheduler, Why: "no such scheduler", Remedy: "use rr or wrr"}
		}
	}
	e.list = next
	return next.Revision, nil
}

// Reload makes the services those of File.
func (e *Engine) Reload(ctx context.Context) (api.Reload, error) {
	out := api.Reload{Revision: e.Services().Revision, Services: e.File != nil, NeedsRestart: e.Restart}
	if e.FileError != nil || e.File == nil {
		return out, e.FileError
	}
	var err error
	out.Revision, err = e.Change(ctx, api.Change{Edit: api.ReplaceServices{Services: e.File}})
	return out, err
}

// Flows emits those of FlowList that the filter chooses.
func (e *Engine) Flows(ctx context.Context, filter api.FlowFilter, emit func(*api.FlowRow) error) (err error) {
	defer func() {
		if e.FlowsEnded != nil {
			e.FlowsEnded <- err
		}
	}()
	for _, f := range e.FlowList {
		if err := ctx.Err(); err != nil {
			return err
		}
		row := rowOf(f)
		if !chosen(filter, row) {
			continue
		}
		if err := emit(row); err != nil {
			return err
		}
	}
	return e.FlowsFail
}

func chosen(filter api.FlowFilter, r *api.FlowRow) bool {
	return filter.MatchService(api.Key{Protocol: r.Protocol, Address: r.Virtual.Addr(), Port: r.Virtual.Port()}) &&
		filter.MatchClient(r.Client.Addr()) && filter.MatchBackend(r.Backend)
}

func rowOf(f api.Flow) *api.FlowRow {
	r := &api.FlowRow{Worker: f.Worker, Protocol: f.Protocol, Mode: f.Mode, State: f.State,
		Client: netip.MustParseAddrPort(f.Client), Virtual: netip.MustParseAddrPort(f.Virtual), Backend: netip.MustParseAddrPort(f.Backend),
		Expires: f.Expires, InPackets: f.InPackets, InBytes: f.InBytes, OutPackets: f.OutPackets, OutBytes: f.OutBytes}
	if f.Local != "" {
		r.Local = netip.MustParseAddrPort(f.Local)
	}
	return r
}

// Start serves engine on a socket in a directory of the test's and returns its
// path. The server is shut down when the test ends.
func Start(t testing.TB, engine server.Engine, o server.Options) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "control.sock")
	ln, err := server.Listen(socket, 0o660, "")
	if err != nil {
		t.Fatal(err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	s := server.New(engine, o)
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Error("shutdown:", err)
		}
		if err := <-served; err != nil {
			t.Error("serve:", err)
		}
	})
	return socket
}
