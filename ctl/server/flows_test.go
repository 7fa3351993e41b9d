package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/api"
)

// flowEngine lists n flows, or flows without end if n is negative.
type flowEngine struct {
	Engine  // nil: nothing else is asked for
	n       int
	fail    error
	started chan struct{}
	ended   chan error
}

func (e *flowEngine) Status() api.Status { return api.Status{Version: "test"} }

func (e *flowEngine) Flows(ctx context.Context, _ api.FlowFilter, emit func(*api.FlowRow) error) (err error) {
	if e.started != nil {
		e.started <- struct{}{}
	}
	defer func() { e.ended <- err }()
	for i := 0; i != e.n; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		row := api.FlowRow{Protocol: "tcp", Client: client(i), Virtual: netip.MustParseAddrPort("10.0.0.100:80"), Backend: netip.MustParseAddrPort("10.0.1.11:80")}
		if err := emit(&row); err != nil {
			return err
		}
	}
	return e.fail
}

// client is the i-th flow's.
func client(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i >> 16)}), uint16(i))
}

// serve runs a server of engine and returns a function that connects to it.
func serve(t *testing.T, engine Engine, patience time.Duration) (s *Server, dial func() net.Conn) {
	path := filepath.Join(t.TempDir(), "control.sock")
	ln, err := Listen(path, 0o600, "")
	require.NoError(t, err)
	s = New(engine, Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	s.streamTimeout = patience
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		require.NoError(t, s.Shutdown(context.Background()))
		require.NoError(t, <-served)
	})
	return s, func() net.Conn {
		conn, err := net.Dial("unix", path)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

func ask(t *testing.T, conn net.Conn, path string) *http.Response {
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	require.NoError(t, err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	return res
}

func TestFlowsStream(t *testing.T) {
	engine := &flowEngine{n: 100_000, ended: make(chan error, 1)}
	_, dial := serve(t, engine, time.Minute)
	res := ask(t, dial(), "/v1/flows")
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "application/x-ndjson", res.Header.Get("Content-Type"))
	require.Equal(t, []string{"chunked"}, res.TransferEncoding)
	lines := bufio.NewScanner(res.Body)
	n := 0
	for ; lines.Scan(); n++ {
		var f api.Flow
		require.NoError(t, json.Unmarshal(lines.Bytes(), &f))
		require.Equal(t, client(n).String(), f.Client)
	}
	require.NoError(t, lines.Err())
	require.Equal(t, 100_000, n)
	require.NoError(t, <-engine.ended)
}

func TestFlowsLimitStopsEngine(t *testing.T) {
	engine := &flowEngine{n: -1, ended: make(chan error, 1)}
	_, dial := serve(t, engine, time.Minute)
	text, err := io.ReadAll(ask(t, dial(), "/v1/flows?limit=3").Body)
	require.NoError(t, err)
	require.Equal(t, 3, bytes.Count(text, []byte("\n")))
	require.ErrorIs(t, <-engine.ended, errEnough)
}

func TestFlowsNone(t *testing.T) {
	engine := &flowEngine{ended: make(chan error, 1)}
	_, dial := serve(t, engine, time.Minute)
	res := ask(t, dial(), "/v1/flows")
	require.Equal(t, 200, res.StatusCode)
	require.Equal(t, "application/x-ndjson", res.Header.Get("Content-Type"))
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Empty(t, text)
}

// TestFlowsReaderStops: readers ask for an endless list and then read nothing.
// Each loses its own stream, and meanwhile and afterwards all else works.
func TestFlowsReaderStops(t *testing.T) {
	engine := &flowEngine{n: -1, started: make(chan struct{}), ended: make(chan error, maxStreams)}
	_, dial := serve(t, engine, 300*time.Millisecond)
	for range maxStreams {
		_, err := io.WriteString(dial(), "GET /v1/flows HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		<-engine.started
	}
	require.Equal(t, 200, ask(t, dial(), "/v1/status").StatusCode)
	for range maxStreams {
		var timeout net.Error
		require.ErrorAs(t, <-engine.ended, &timeout)
		require.True(t, timeout.Timeout())
	}
	engine.n, engine.started = 1, nil
	require.Eventually(t, func() bool { return ask(t, dial(), "/v1/flows").StatusCode == 200 }, 10*time.Second, time.Millisecond)
}

func TestFlowsReaderGoes(t *testing.T) {
	engine := &flowEngine{n: -1, ended: make(chan error, 1)}
	_, dial := serve(t, engine, time.Minute)
	conn := dial()
	ask(t, conn, "/v1/flows")
	require.NoError(t, conn.Close())
	require.Error(t, <-engine.ended)
}

func TestFlowsTooMany(t *testing.T) {
	engine := &flowEngine{n: -1, started: make(chan struct{}), ended: make(chan error, maxStreams)}
	_, dial := serve(t, engine, time.Minute)
	for range maxStreams {
		_, err := io.WriteString(dial(), "GET /v1/flows HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		<-engine.started
	}
	res := ask(t, dial(), "/v1/flows")
	require.Equal(t, 503, res.StatusCode)
	var p api.Problem
	require.NoError(t, json.NewDecoder(res.Body).Decode(&p))
	require.Equal(t, api.Busy, p.Kind)
}

// TestShutdownEndsStreams: a reader that keeps reading does not hold it up.
func TestShutdownEndsStreams(t *testing.T) {
	engine := &flowEngine{n: -1, ended: make(chan error, 1)}
	s, dial := serve(t, engine, time.Minute)
	res := ask(t, dial(), "/v1/flows")
	read := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, res.Body)
		read <- err
	}()
	require.NoError(t, s.Shutdown(context.Background()))
	require.ErrorIs(t, <-engine.ended, context.Canceled)
	require.ErrorIs(t, <-read, io.ErrUnexpectedEOF, "an incomplete list must not look complete")
}

func TestFlowsFailure(t *testing.T) {
	engine := &flowEngine{n: 10, ended: make(chan error, 1), fail: &api.Error{Kind: api.Busy, Why: "the worker is gone"}}
	_, dial := serve(t, engine, time.Minute)
	res := ask(t, dial(), "/v1/flows")
	require.Equal(t, 503, res.StatusCode, "nothing was sent yet")
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))

	engine = &flowEngine{n: 10_000, ended: make(chan error, 1), fail: errors.New("the worker is gone")}
	_, dial = serve(t, engine, time.Minute)
	res = ask(t, dial(), "/v1/flows")
	require.Equal(t, 200, res.StatusCode)
	_, err := io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
