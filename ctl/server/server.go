package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Limits of a request.
const (
	// maxAll is the body of a replace-all: 10,000 services of 10 backends are
	// 11 MiB when every address is a long IPv6 one, and 2 to 3 times that indented.
	maxAll = 48 << 20
	// maxOne is the body of one service: 10,000 backends, indented.
	maxOne = 4 << 20
	// maxStreams bounds how many clients list flows at the same time.
	maxStreams = 8

	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second // of a whole answer that is no stream
	idleTimeout   = 2 * time.Minute
	// streamTimeout is how long a stream waits for its reader to take a chunk.
	streamTimeout = 10 * time.Second
)

// Options are what a Server needs besides the engine. The zero value works.
type Options struct {
	Version string       // of the daemon, for the OpenAPI document
	Metrics http.Handler // GET /metrics; nil: none
	Log     *slog.Logger // nil: slog.Default
}

// Server serves the control API.
type Server struct {
	engine        Engine
	log           *slog.Logger
	http          *http.Server
	streams       chan struct{} // one element per running stream
	stopping      context.Context
	stop          context.CancelFunc
	streamTimeout time.Duration
}

// New makes a server of engine. It serves nothing until Serve.
func New(engine Engine, o Options) *Server {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Server{engine: engine, log: o.Log, streams: make(chan struct{}, maxStreams), streamTimeout: streamTimeout}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           s.routes(o),
		ReadHeaderTimeout: headerTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return s
}

// Handler is the API without the socket, for tests.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Serve accepts connections until Shutdown, and then returns nil. It closes ln.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown ends streams, lets other requests finish until ctx ends, and then
// closes every connection.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	err := s.http.Shutdown(ctx)
	return errors.Join(err, s.http.Close())
}

func (s *Server) routes(o Options) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("Sluice control", orUnknown(o.Version))
	config.Info.Description = description
	// Of huma's own pages none: the documentation loads from a foreign host, and
	// the OpenAPI ones are built on first use without a lock.
	config.DocsPath, config.OpenAPIPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // would add $schema to every answer
	config.RejectUnknownQueryParameters = true
	a := humago.New(mux, config)
	s.registerReads(a)
	s.registerWrites(a)
	s.registerReload(a)
	s.registerFlows(a)
	serveOpenAPI(mux, a)
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	return withProblems(mux)
}

func orUnknown(version string) string {
	if version == "" {
		return "unknown"
	}
	return version
}
