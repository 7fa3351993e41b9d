package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/sluice-lb/sluice/ctl/api"
)

// SocketEnv names the environment variable with the control socket's path.
const SocketEnv = "SLUICE_SOCKET"

// Client is a connection to one sluiced. The zero value talks to the socket
// named by $SLUICE_SOCKET or else api.DefaultSocket.
type Client struct {
	Socket string                                      // path; "": as above
	Dial   func(ctx context.Context) (net.Conn, error) // nil: the Unix socket

	once sync.Once
	http *http.Client
}

// Path is the socket that the client talks to.
func (c *Client) Path() string {
	if c.Socket != "" {
		return c.Socket
	}
	if env := os.Getenv(SocketEnv); env != "" {
		return env
	}
	return api.DefaultSocket
}

// Close gives back idle connections. The client can be used again.
func (c *Client) Close() { c.client().CloseIdleConnections() }

func (c *Client) client() *http.Client {
	c.once.Do(func() {
		c.http = &http.Client{Transport: &http.Transport{
			DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
			DisableCompression: true,
		}}
	})
	return c.http
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", c.Path())
	if err != nil {
		return nil, &ConnectError{Socket: c.Path(), Err: err}
	}
	return conn, nil
}

// request is one call of the API.
type request struct {
	method string
	path   string
	body   any     // nil: none
	ifRev  *uint64 // nil: no condition
}

// do sends r and returns the answer if it is a good one; the caller closes its
// body.
func (c *Client) do(ctx context.Context, r request) (*http.Response, error) {
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	// The host is nobody's: the dialer ignores it.
	req, err := http.NewRequestWithContext(ctx, r.method, "http://sluice"+r.path, body)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.ifRev != nil {
		req.Header.Set("If-Match", etag(*r.ifRev))
	}
	res, err := c.client().Do(req)
	if err != nil {
		return nil, c.failed(err)
	}
	if res.StatusCode/100 != 2 {
		defer res.Body.Close()
		return nil, problem(res)
	}
	return res, nil
}

// call sends r, decodes the answer into out and returns the revision in its
// ETag, 0 if there is none.
func (c *Client) call(ctx context.Context, r request, out any) (uint64, error) {
	res, err := c.do(ctx, r)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return 0, fmt.Errorf("%s %s: answer of sluiced: %w: is it of another version than this client?", r.method, r.path, err)
	}
	_, _ = io.Copy(io.Discard, res.Body) // the connection can then be used again
	revision, _ := strconv.ParseUint(strings.Trim(res.Header.Get("ETag"), `"`), 10, 64)
	return revision, nil
}

// get is a call of method GET.
func get[T any](ctx context.Context, c *Client, path string) (out T, revision uint64, err error) {
	revision, err = c.call(ctx, request{method: http.MethodGet, path: path}, &out)
	return out, revision, err
}

func etag(revision uint64) string { return `"` + strconv.FormatUint(revision, 10) + `"` }

// maxProblem bounds what is read of an error's document, in bytes.
const maxProblem = 1 << 20

func problem(res *http.Response) error {
	var p api.Problem
	text, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err != nil || p.Status == 0 {
		return fmt.Errorf("%s: no problem document in the answer: is it sluiced that listens on this socket?", res.Status)
	}
	return p.Err()
}

// failed takes the URL, which says nothing, off an error.
func (c *Client) failed(err error) error {
	var connect *ConnectError
	if errors.As(err, &connect) {
		return connect
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("sluiced on %s: no answer in time: see its log, or try again: %w", c.Path(), context.DeadlineExceeded)
	}
	return fmt.Errorf("sluiced on %s: %w", c.Path(), errors.Unwrap(err))
}
