package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/build"
	"github.com/sluice-lb/sluice/ctl/config"
	"github.com/sluice-lb/sluice/ctl/kernel"
	"github.com/sluice-lb/sluice/ctl/metrics"
	"github.com/sluice-lb/sluice/ctl/server"
	"github.com/sluice-lb/sluice/dpdk"
	"github.com/sluice-lb/sluice/service"
)

// shutdownTime is how long clients of the control socket may take to finish.
const shutdownTime = 2 * time.Second

// daemon is everything that runs. Its parts start in the order of the fields
// and stop in the reverse order.
type daemon struct {
	file    string
	config  *config.Config
	reread  loader
	log     *slog.Logger
	sockets []net.Listener // the control socket, and /metrics if configured
	claims  claims         // of the interfaces under ports
	plane   *dataplane
	path    *kernel.Path
	engine  *engine
	servers sync.WaitGroup
	server  *server.Server
	metrics *http.Server
	failed  chan error // a server that ended by itself
}

// loader reads the configuration file, the environment and flags.
type loader func(checks ...func(*config.Config) error) (*config.Config, error)

// run starts the daemon, waits for ctx or a failure, and stops it.
func run(ctx context.Context, file string, c *config.Config, load loader) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	d := &daemon{file: file, config: c, reread: load, log: newLog(c.Log), failed: make(chan error, 2)}
	err := d.start()
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	} else {
		d.log.Info("ready", "version", release(), "ports", len(c.Ports), "workers", len(c.Workers.Cores),
			"services", len(c.Services), "socket", c.Control.Socket)
		notify(d.log, sd.SdNotifyReady)
		err = d.wait(ctx, hup)
		notify(d.log, sd.SdNotifyStopping)
	}
	err = errors.Join(err, d.stop())
	if err == nil {
		d.log.Info("stopped", "left_behind", left(c))
	}
	return err
}

// start brings everything up. After an error stop undoes what was done.
func (d *daemon) start() error {
	if err := os.MkdirAll(d.config.RunDir, 0o750); err != nil {
		return fmt.Errorf("run_dir: %s: %w: start as root, or give the daemon's user a directory of its own", d.config.RunDir, reason(err))
	}
	if err := d.listen(); err != nil {
		return err
	}
	if err := dpdk.SweepStale(prefixOf(d.config)); err != nil {
		return err
	}
	var err error
	if d.claims, err = claim(d.config); err != nil {
		return err
	}
	if d.plane, err = openDataplane(d.config); err != nil {
		return err
	}
	if err := d.openPath(); err != nil {
		return err
	}
	d.engine = newEngine(d)
	if _, err := d.engine.Change(context.Background(), api.Change{Edit: api.ReplaceServices{Services: d.config.Services}}); err != nil {
		return fmt.Errorf("services: %w", err)
	}
	if err := d.path.Start(); err != nil {
		return err
	}
	d.engine.golive()
	d.plane.start()
	d.engine.startUpkeep()
	d.serve()
	for _, p := range d.plane.ports {
		for _, limit := range p.Limits() {
			d.log.Info("device", "port", p.Info().Name, "limit", limit)
		}
	}
	return nil
}

// listen opens the sockets first: they tell whether another daemon lives.
func (d *daemon) listen() error {
	c := d.config
	mode, _ := strconv.ParseUint(c.Control.Mode, 8, 32) // validated
	control, err := server.Listen(c.Control.Socket, fs.FileMode(mode), c.Control.Group)
	if err != nil {
		return err // says control.socket's path and what to do
	}
	d.sockets = append(d.sockets, control)
	if c.Metrics.Listen == "" {
		return nil
	}
	scrape, err := net.Listen("tcp", c.Metrics.Listen)
	if err != nil {
		return fmt.Errorf("metrics.listen: %s: %w: choose another address, or leave it empty", c.Metrics.Listen, reason(err))
	}
	d.sockets = append(d.sockets, scrape)
	return nil
}

func (d *daemon) openPath() (err error) {
	c := kernel.Config{StateFile: undoFile(d.config), Keep: d.config.Kernel.KeepTwins, Tunnels: d.tunnels, Errors: int(d.config.Limits.Answers)}
	d.path, err = kernel.Open(c, d.specs(), d.plane.pool, d.plane.rings, d.plane.hops, d.publishNet, d.log)
	return err
}

func (d *daemon) publishNet(net *service.Net) {
	_ = d.plane.store.Update(func(s *service.Snapshot) (*service.Snapshot, error) { return s.WithNet(net), nil })
}

// tunnels says whether a service's packets are sent from local to backend now.
func (d *daemon) tunnels(local, backend netip.Addr, key service.Key) bool {
	snap := d.plane.store.Load()
	svc := snap.Lookup(key)
	return svc != nil && svc.Mode == service.ModeTun && slices.Contains(svc.Locals, local) &&
		slices.ContainsFunc(svc.Backends, func(id service.BackendID) bool { return snap.Backends.At(uint32(id)).Addr == backend })
}

func (d *daemon) serve() {
	handler := metrics.Handler(d.engine)
	d.server = server.New(d.engine, server.Options{Version: release(), Metrics: handler, Log: d.log})
	d.servers.Go(func() { d.report(d.server.Serve(d.sockets[0])) })
	if len(d.sockets) > 1 {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", handler)
		d.metrics = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
		d.servers.Go(func() { d.report(d.metrics.Serve(d.sockets[1])) })
	}
}

func (d *daemon) report(err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		d.failed <- fmt.Errorf("serve: %w", err)
	}
}

// wait returns nil when ctx ends, or what went wrong: a worker that panics ends
// the process. Until then it reloads at every hup and tells the service manager
// that all is well.
func (d *daemon) wait(ctx context.Context, hup <-chan os.Signal) error {
	watchdog := newWatchdog(d.log, d.plane.polls())
	defer watchdog.stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			_, _ = d.engine.Reload(ctx) // it logs what is wrong
		case <-watchdog.due():
			watchdog.look()
		case err := <-d.failed:
			return err
		case err := <-d.plane.ended:
			d.plane.running--
			if err == nil {
				err = errors.New("a worker ended without being told: a bug in Sluice: report it")
			}
			return err
		}
	}
}

// stop takes down what start brought up, whatever fails on the way.
func (d *daemon) stop() (err error) {
	if d.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
		defer cancel()
		err = errors.Join(err, d.server.Shutdown(ctx))
		if d.metrics != nil {
			err = errors.Join(err, d.metrics.Shutdown(ctx))
		}
		d.servers.Wait()
	}
	if d.engine != nil {
		d.engine.stopUpkeep()
	}
	if d.plane != nil {
		err = errors.Join(err, d.plane.halt())
	}
	if d.path != nil {
		err = errors.Join(err, d.path.Close())
	}
	if d.plane != nil {
		err = errors.Join(err, d.plane.close())
	}
	err = errors.Join(err, d.claims.release())
	for _, s := range d.sockets {
		if e := s.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	_ = os.Remove(d.config.RunDir) // fails, rightly, while there is something else in it
	return err
}

// prefixOf names the EAL's files. It follows from the run directory, so that
// the next start finds what a killed run has left.
func prefixOf(c *config.Config) string {
	if c.EAL.Prefix != "" {
		return c.EAL.Prefix
	}
	h := fnv.New64a()
	h.Write([]byte(c.RunDir))
	return fmt.Sprintf("sluice-%x", h.Sum64())
}

// checkServices finds out what the daemon would say of the services in c.
func checkServices(c *config.Config) error {
	store := service.NewStore(1, new(service.NextHops))
	builder := build.New(store, build.Limits{Services: c.Limits.Services, Backends: c.Limits.Backends}, noFlows{})
	_, err := builder.ReplaceAll(c.Services, nil)
	return err
}

// noFlows is the usage of a daemon that does not run.
type noFlows struct{}

func (noFlows) Revision() uint64               { return 0 }
func (noFlows) Flows(service.BackendID) uint64 { return 0 }
func (noFlows) Freed(service.BackendID)        {}
func (noFlows) Scan(context.Context, func(service.ID, service.Mode, netip.Addr)) error {
	return nil
}

// reason is an error without the path or address that its text begins with.
func reason(err error) error {
	var path *fs.PathError
	var op *net.OpError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

func newLog(c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // validated
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}
