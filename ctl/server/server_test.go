package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/server"
	"github.com/sluice-lb/sluice/ctl/server/servertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// speaker sends raw HTTP requests, so that what is tested is the protocol and
// not our own client.
type speaker struct {
	t    *testing.T
	http http.Client
}

func speak(t *testing.T, engine server.Engine, o server.Options) *speaker {
	socket := servertest.Start(t, engine, o)
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &speaker{t, http.Client{Transport: transport}}
}

func (s *speaker) do(method, path, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, "http://x"+path, strings.NewReader(body))
	require.NoError(s.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.http.Do(req)
	require.NoError(s.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(s.t, err)
	return res, string(text)
}

// want sends a request, checks the status and decodes a problem document.
func (s *speaker) want(status int, method, path, body string, headers ...string) (text string, p api.Problem) {
	s.t.Helper()
	res, text := s.do(method, path, body, headers...)
	require.Equal(s.t, status, res.StatusCode, "%s %s: %s", method, path, text)
	if status >= 400 {
		require.Equal(s.t, "application/problem+json", res.Header.Get("Content-Type"))
		require.NoError(s.t, json.Unmarshal([]byte(text), &p))
		require.Equal(s.t, status, p.Status)
		require.NotEmpty(s.t, p.Detail)
	}
	return text, p
}

const (
	web     = "/v1/services/tcp/10.0.0.100/80"
	webJSON = `{"mode":"fullnat","local_addresses":["10.0.1.1"],"backends":[{"address":"10.0.1.11"},{"address":"10.0.1.12","port":8080,"weight":3}]}`
)

func TestServiceLife(t *testing.T) {
	s := speak(t, &servertest.Engine{}, server.Options{})
	res, text := s.do("PUT", web, webJSON)
	require.Equal(t, 200, res.StatusCode, text)
	require.Equal(t, `"1"`, res.Header.Get("ETag"))
	require.JSONEq(t, `{"revision":1}`, text)

	res, text = s.do("GET", web, "")
	require.Equal(t, `"1"`, res.Header.Get("ETag"))
	require.JSONEq(t, `{"protocol":"tcp","address":"10.0.0.100","port":80,"mode":"fullnat","scheduler":"wrr",
		"local_addresses":["10.0.1.1"],"backends":[{"address":"10.0.1.11","port":80,"weight":1},
		{"address":"10.0.1.12","port":8080,"weight":3}]}`, text)

	// What was read can be written back, and changes nothing.
	written, _ := s.want(200, "PUT", web, text)
	require.JSONEq(t, `{"revision":1}`, written)

	// Absent backends stay, present ones replace.
	s.want(200, "PUT", web, `{"mode":"fullnat","scheduler":"rr"}`)
	text, _ = s.want(200, "GET", web, "")
	require.Contains(t, text, `"scheduler":"rr"`)
	require.Contains(t, text, "10.0.1.12")
	s.want(200, "PUT", web, `{"mode":"fullnat","backends":[]}`)
	text, _ = s.want(200, "GET", web, "")
	require.Contains(t, text, `"backends":[]`)

	s.want(200, "PUT", web+"/backends/10.0.1.13/80", `{"weight":0}`)
	s.want(200, "PUT", web+"/backends/10.0.1.14/80", "")
	text, _ = s.want(200, "GET", web, "")
	require.Contains(t, text, `"backends":[{"address":"10.0.1.13","port":80,"weight":0},{"address":"10.0.1.14","port":80,"weight":1}]`)
	s.want(200, "DELETE", web+"/backends/10.0.1.13/80", "")
	s.want(404, "DELETE", web+"/backends/10.0.1.13/80", "")

	s.want(200, "DELETE", web, "")
	s.want(404, "DELETE", web, "")
	s.want(404, "GET", web, "")
	text, _ = s.want(200, "GET", "/v1/services", "")
	require.Contains(t, text, `"services":[]`)
}

func TestIPv6Path(t *testing.T) {
	s := speak(t, &servertest.Engine{}, server.Options{})
	s.want(200, "PUT", "/v1/services/udp/2001:DB8:0::1/53", `{"mode":"dr","backends":[{"address":"2001:db8::11"}]}`)
	text, _ := s.want(200, "GET", "/v1/services/udp/2001:db8::1/53", "")
	require.Contains(t, text, `"address":"2001:db8::1"`)
	s.want(200, "DELETE", "/v1/services/udp/2001:db8::1/53/backends/2001:db8::11/53", "")
}

func TestRefusals(t *testing.T) {
	engine := &servertest.Engine{}
	s := speak(t, engine, server.Options{})
	s.want(200, "PUT", web, webJSON)
	cases := []struct {
		name, method, path, body string
		status                   int
		kind                     api.Kind
		location, value          string
	}{
		{"unknown field", "PUT", web, `{"mode":"dr","sheduler":"rr"}`, 400, api.Malformed, "sheduler", ""},
		{"unknown field of a backend", "PUT", web, `{"mode":"nat","backends":[{"adress":"10.0.0.1"}]}`, 400, api.Malformed, "backends[0].adress", ""},
		{"upper case", "PUT", web, `{"Mode":"dr"}`, 400, api.Malformed, "Mode", ""},
		{"twice", "PUT", web, `{"mode":"dr","mode":"nat"}`, 400, api.Malformed, "mode", ""},
		{"two values", "PUT", web, `{"mode":"nat"} {}`, 400, api.Malformed, "", ""},
		{"cut", "PUT", web, `{"mode":"dr"`, 400, api.Malformed, "", ""},
		{"no body", "PUT", web, ``, 400, "", "", ""},
		{"type", "PUT", web, `{"mode":"nat","backends":[{"address":"10.0.0.1","weight":"3"}]}`, 400, api.Malformed, "backends[0].weight", "string"},
		{"negative", "PUT", web, `{"mode":"nat","backends":[{"address":"10.0.0.1","weight":-1}]}`, 400, api.Malformed, "backends[0].weight", "number -1"},
		{"mode", "PUT", web, `{"mode":"bridge"}`, 422, api.Invalid, "mode", "bridge"},
		{"no mode", "PUT", web, `{}`, 422, api.Invalid, "mode", ""},
		{"weight", "PUT", web + "/backends/10.0.1.11/80", `{"weight":65536}`, 422, api.Invalid, "weight", "65536"},
		{"path and body", "PUT", web, `{"mode":"nat","port":81}`, 422, api.Invalid, "port", "81"},
		{"backend path and body", "PUT", web + "/backends/10.0.1.11/80", `{"address":"10.0.1.12"}`, 422, api.Invalid, "address", "10.0.1.12"},
		{"protocol", "GET", "/v1/services/sctp/10.0.0.100/80", "", 422, api.Invalid, "protocol", "sctp"},
		{"address", "GET", "/v1/services/tcp/web/80", "", 422, api.Invalid, "address", "web"},
		{"port", "GET", "/v1/services/tcp/10.0.0.100/0", "", 422, api.Invalid, "port", "0"},
		{"engine's own", "PUT", web, `{"mode":"nat","scheduler":"fastest"}`, 422, api.Invalid, "scheduler", "fastest"},
		{"no such service", "PUT", "/v1/services/tcp/10.0.0.101/80/backends/10.0.1.11/80", "", 404, api.NotFound, "service", "tcp:10.0.0.101:80"},
		{"no services", "PUT", "/v1/services", `{}`, 422, api.Invalid, "services", ""},
		{"second of all", "PUT", "/v1/services", `{"services":[{"protocol":"tcp","address":"10.0.0.1","port":1,"mode":"nat","backends":[]},
			{"protocol":"tcp","address":"10.0.0.2","port":2,"mode":"nat","backends":[{"address":"10.0.3.1"},{"address":"bad"}]}]}`,
			422, api.Invalid, "services[1].backends[1].address", "bad"},
		{"counters of none", "GET", "/v1/counters?service=tcp:10.9.9.9:80", "", 404, api.NotFound, "service", "tcp:10.9.9.9:80"},
		{"counters of nonsense", "GET", "/v1/counters?service=web", "", 422, api.Invalid, "service", "web"},
		{"flows of nonsense", "GET", "/v1/flows?client=10.0.0.0/8", "", 422, api.Invalid, "address", "10.0.0.0/8"},
		{"unknown parameter", "GET", "/v1/flows?klient=10.0.0.1", "", 422, "", "query.klient", ""},
		{"path", "GET", "/v2/status", "", 404, api.NotFound, "path", "/v2/status"},
		{"method", "POST", "/v1/status", "", 405, api.Malformed, "method", "POST"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s.t = t
			before := engine.Services()
			_, p := s.want(c.status, c.method, c.path, c.body)
			require.Equal(t, c.kind, p.Kind)
			require.Equal(t, before, engine.Services(), "a refused request must change nothing")
			if c.location != "" {
				require.Equal(t, c.location, p.Errors[0].Location)
			}
			if c.value != "" {
				require.Equal(t, c.value, p.Errors[0].Value)
			}
		})
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	s := speak(t, &servertest.Engine{}, server.Options{})
	_, p := s.want(422, "PUT", web, `{"mode":"dr","backends":[{"address":"10.0.1.11","port":81},{"address":"x"},{"address":"10.0.1.12"}]}`)
	require.Len(t, p.Errors, 2)
	require.Equal(t, "backends[0].port", p.Errors[0].Location)
	require.Equal(t, "backends[1].address", p.Errors[1].Location)
}

func TestIfMatch(t *testing.T) {
	s := speak(t, &servertest.Engine{}, server.Options{})
	s.want(200, "PUT", web, webJSON, "If-Match", `"0"`)
	_, p := s.want(412, "DELETE", web, "", "If-Match", `"0"`)
	require.Equal(t, api.Stale, p.Kind)
	require.Contains(t, p.Detail, "revision 1")
	s.want(422, "DELETE", web, "", "If-Match", `"*"`)
	s.want(422, "DELETE", web, "", "If-Match", `W/"1"`)

	// The list that was read is written back, with its revision in the body.
	text, _ := s.want(200, "GET", "/v1/services", "")
	s.want(200, "PUT", web+"/backends/10.0.1.13/80", "")
	s.want(412, "PUT", "/v1/services", text)
	s.want(200, "DELETE", web, "", "If-Match", `"2"`)
}

func TestReplaceAllIsLarge(t *testing.T) {
	var list api.ServiceList
	for i := range 10_000 {
		service := api.Service{Protocol: "tcp", Address: fmt.Sprintf("2001:db8:1111:2222:3333:4444:5555:%x", i+1), Port: 65535, Mode: "fullnat"}
		for j := range 10 {
			weight := uint32(65535)
			service.Backends = append(service.Backends, api.Backend{
				Address: fmt.Sprintf("2001:db8:6666:7777:8888:9999:aaaa:%x", j+1), Port: 65535, Weight: &weight})
		}
		list.Services = append(list.Services, service)
	}
	text, err := json.MarshalIndent(list, "", "  ")
	require.NoError(t, err)
	engine := &servertest.Engine{}
	s := speak(t, engine, server.Options{})
	s.want(200, "PUT", "/v1/services", string(text))
	require.Len(t, engine.Services().Services, 10_000)

	s.want(413, "PUT", "/v1/services", string(bytes.Repeat([]byte(" "), 49<<20)))
	s.want(413, "PUT", web, string(bytes.Repeat([]byte(" "), 5<<20)))
	require.Len(t, engine.Services().Services, 10_000)
}

func TestStateIsNeverNull(t *testing.T) {
	s := speak(t, &servertest.Engine{}, server.Options{})
	for path, want := range map[string]string{
		"/v1/ports": `{"ports":[]}`, "/v1/workers": `{"workers":[]}`, "/v1/verdicts": `{"verdicts":[]}`,
		"/v1/counters": `{"services":[]}`, "/v1/services": `{"revision":0,"services":[]}`,
		"/v1/local-ports": `{"services":[],"addresses":[]}`,
	} {
		text, _ := s.want(200, "GET", path, "")
		require.JSONEq(t, want, text)
	}
}

func TestMetricsIsMounted(t *testing.T) {
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "sluice_up 1") })
	with := speak(t, &servertest.Engine{}, server.Options{Metrics: metrics})
	text, _ := with.want(200, "GET", "/metrics", "")
	require.Equal(t, "sluice_up 1\n", text)
	speak(t, &servertest.Engine{}, server.Options{}).want(404, "GET", "/metrics", "")
}
