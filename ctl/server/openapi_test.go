package server_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/sluice-lb/sluice/ctl/api"
	"github.com/sluice-lb/sluice/ctl/server"
	"github.com/sluice-lb/sluice/ctl/server/servertest"
)

type document struct {
	OpenAPI    string
	Info       struct{ Version string }
	Paths      map[string]map[string]docOperation
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any
			Required   []string
		}
	}
}

type docOperation struct {
	OperationID, Summary, Description string
	Parameters                        []struct{ Name, Description string }
	RequestBody                       struct{ Content map[string]any }
	Responses                         map[string]struct{ Content map[string]any }
}

func TestOpenAPI(t *testing.T) {
	s := speak(t, &servertest.Engine{}, server.Options{Version: "1.2.3"})
	text, _ := s.want(200, "GET", "/openapi.json", "")
	var doc document
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	require.True(t, strings.HasPrefix(doc.OpenAPI, "3."))
	require.Equal(t, "1.2.3", doc.Info.Version)

	const one = "/v1/services/{protocol}/{address}/{port}"
	want := map[string][]string{
		"/v1/status": {"get"}, "/v1/ports": {"get"}, "/v1/workers": {"get"}, "/v1/verdicts": {"get"},
		"/v1/reload": {"post"}, "/v1/counters": {"get"}, "/v1/local-ports": {"get"}, "/v1/flows": {"get"}, "/v1/services": {"get", "put"},
		one: {"get", "put", "delete"}, one + "/backends/{backend_address}/{backend_port}": {"put", "delete"},
	}
	require.Len(t, doc.Paths, len(want))
	for path, methods := range want {
		require.Len(t, doc.Paths[path], len(methods), path)
		for _, method := range methods {
			checkOperation(t, method+" "+path, method, doc.Paths[path][method])
		}
	}
	require.Contains(t, doc.Paths["/v1/flows"]["get"].Responses["200"].Content, "application/x-ndjson")
	require.Equal(t, []string{"mode"}, doc.Components.Schemas["ServicePut"].Required)
	require.Empty(t, doc.Components.Schemas["BackendPut"].Required)
	require.NotContains(t, text, "$schema")

	inYAML, _ := s.want(200, "GET", "/openapi.yaml", "")
	converted, err := yaml.YAMLToJSON([]byte(inYAML))
	require.NoError(t, err)
	require.JSONEq(t, text, string(converted))
}

func checkOperation(t *testing.T, name, method string, op docOperation) {
	require.NotEmpty(t, op.OperationID, name)
	require.NotEmpty(t, op.Summary, name)
	require.NotEmpty(t, op.Description, name)
	require.Contains(t, op.Responses, "200", name)
	require.Contains(t, op.Responses["500"].Content, "application/problem+json", name)
	var parameters []string
	for _, p := range op.Parameters {
		require.NotEmpty(t, p.Description, name+" "+p.Name)
		parameters = append(parameters, p.Name)
	}
	if method == "get" || method == "post" {
		return
	}
	require.True(t, slices.Contains(parameters, "If-Match"), name)
	require.Contains(t, op.Responses, "412", name)
	require.Equal(t, method == "put", op.RequestBody.Content["application/json"] != nil, name)
}

// TestOpenAPISpeaksTheTypes: the schemas have exactly the fields that the Go
// types write.
func TestOpenAPISpeaksTheTypes(t *testing.T) {
	s := speak(t, &servertest.Engine{}, server.Options{})
	text, _ := s.want(200, "GET", "/openapi.json", "")
	var doc document
	require.NoError(t, json.Unmarshal([]byte(text), &doc))
	weight := uint32(1)
	for name, v := range map[string]any{
		"Service": api.Service{Scheduler: "rr", LocalAddresses: []string{"x"}},
		"Backend": api.Backend{Port: 1, Weight: &weight}, "Status": api.Status{FullestRing: &api.Ring{}}, "Port": api.Port{},
		"Worker": api.Worker{SaturatedSince: new(time.Time)}, "Gaps": api.Gaps{LongestAt: new(time.Time)}, "Ring": api.Ring{},
		"Arrivals": api.Arrivals{}, "Saturation": api.Saturation{},
		"Verdict": api.Verdict{}, "Flow": api.Flow{Local: "x"}, "ServiceCounters": api.ServiceCounters{},
		"BackendCounters": api.BackendCounters{Removed: true}, "Reload": api.Reload{},
	} {
		written, err := json.Marshal(v)
		require.NoError(t, err)
		var fields map[string]any
		require.NoError(t, json.Unmarshal(written, &fields))
		schema := doc.Components.Schemas[name].Properties
		require.Len(t, schema, len(fields), name)
		for field := range fields {
			require.Contains(t, schema, field, name)
		}
	}
}
