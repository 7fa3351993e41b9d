package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sluice-lb/sluice/ctl/api"
)

// The stream of flows, and how it stays out of everybody's way:
//
//  1. A slot of maxStreams, or the answer is Busy.
//  2. The engine calls emit per flow; emit encodes into one buffer, and leaves no
//     garbage.
//  3. A full buffer is written with a deadline. A reader that does not take it in
//     time ends its own stream: emit reports the error, the engine stops.
//  4. An error before the first write is a problem document. After it the
//     connection is cut, so that the reader sees the list is incomplete.

const streamBuffer = 32 << 10

type flowsInput struct {
	Service string `query:"service" doc:"Only flows of this service." example:"tcp:10.0.0.100:80"`
	Client  string `query:"client" doc:"Only flows of this client's address." example:"192.0.2.7"`
	Backend string `query:"backend" doc:"Only flows to this backend; without a port to all of the address." example:"10.0.1.11:80"`
	Limit   int    `query:"limit" minimum:"0" doc:"At most so many; 0: all."`
}

func (in flowsInput) filter() (f api.FlowFilter, err error) {
	f.Limit = in.Limit
	if in.Service != "" {
		key, err := api.ParseKey(in.Service)
		if err != nil {
			return f, err
		}
		f.Service = &key
	}
	if in.Client != "" {
		if f.Client, err = api.ParseAddress(in.Client); err != nil {
			return f, err
		}
	}
	if in.Backend != "" {
		f.Backend, err = api.ParseBackendFilter(in.Backend)
	}
	return f, err
}

func (s *Server) registerFlows(a huma.API) {
	op := operation(a, http.MethodGet, "/v1/flows", "list-flows", "Flows",
		"Streams the connections that the forwarder knows, one JSON object a line, in no order. "+
			"It is no snapshot: flows come and go meanwhile. A list that ends without error is complete.",
		api.Invalid, api.Busy)
	op.Responses["200"] = &huma.Response{
		Description: "One flow a line.",
		Content:     map[string]*huma.MediaType{ndjson: {Schema: schemaOf[api.Flow](a)}},
	}
	huma.Register(a, op, s.listFlows)
}

const ndjson = "application/x-ndjson"

func (s *Server) listFlows(_ context.Context, in *flowsInput) (*huma.StreamResponse, error) {
	filter, err := in.filter()
	if err != nil {
		return nil, api.NewProblem(err)
	}
	select {
	case s.streams <- struct{}{}:
	default:
		return nil, api.NewProblem(&api.Error{Kind: api.Busy, Field: "flows",
			Why: "too many clients list flows", Remedy: "try again when one has ended"})
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer func() { <-s.streams }()
		r, w := humago.Unwrap(hc)
		s.streamFlows(r, w, filter)
	}}, nil
}

// errEnough ends an engine's listing when the limit is reached.
var errEnough = errors.New("limit reached")

func (s *Server) streamFlows(r *http.Request, w http.ResponseWriter, filter api.FlowFilter) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()

	out := &deadlineWriter{w: w, control: http.NewResponseController(w), timeout: s.streamTimeout}
	buffer := bufio.NewWriterSize(out, streamBuffer)
	var line []byte
	sent := 0
	err := s.engine.Flows(ctx, filter, func(row *api.FlowRow) error {
		line = row.AppendJSON(line[:0])
		if _, err := buffer.Write(line); err != nil {
			return err
		}
		if sent++; sent == filter.Limit {
			return errEnough
		}
		return nil
	})
	if err == nil || errors.Is(err, errEnough) {
		err = finish(out, buffer)
	}
	if err != nil {
		s.failStream(w, out, err)
	}
}

// finish writes what is left, the headers at least.
func finish(out *deadlineWriter, buffer *bufio.Writer) error {
	if err := buffer.Flush(); err != nil {
		return err
	}
	if !out.started {
		_, err := out.Write(nil)
		return err
	}
	return nil
}

func (s *Server) failStream(w http.ResponseWriter, out *deadlineWriter, err error) {
	if !out.started {
		writeProblem(w, api.NewProblem(err))
		return
	}
	s.log.Info("list of flows cut short", "error", err)
	panic(http.ErrAbortHandler) // closes the connection without the end of the body
}

// deadlineWriter sends each chunk to the client at once and gives up when the
// client does not take it in time.
type deadlineWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	started bool
}

var _ io.Writer = (*deadlineWriter)(nil)

func (d *deadlineWriter) Write(b []byte) (int, error) {
	if !d.started {
		d.started = true
		d.w.Header().Set("Content-Type", ndjson)
	}
	// Never past the client's patience, but past the server's WriteTimeout.
	if err := d.control.SetWriteDeadline(time.Now().Add(d.timeout)); err != nil {
		return 0, err
	}
	n, err := d.w.Write(b)
	if err != nil {
		return n, err
	}
	return n, d.control.Flush()
}
