package server

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sluice-lb/sluice/ctl/api"
)

const description = "State and configuration of one Sluice gateway. " +
	"Every write is idempotent, checked as a whole before anything changes, and takes If-Match with the revision " +
	"that an earlier answer's ETag gave. Errors are problem documents (RFC 9457). " +
	"Request bodies are JSON, whatever their Content-Type; unknown fields are refused."

// operation describes an operation and the errors it can answer with.
func operation(a huma.API, method, path, id, summary, description string, kinds ...api.Kind) huma.Operation {
	op := huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: description,
		Responses: map[string]*huma.Response{}}
	schema := schemaOf[api.Problem](a)
	for _, kind := range append(kinds, api.Internal) {
		status := api.NewProblem(&api.Error{Kind: kind}).Status
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return op
}

// withBody declares a body that the handler decodes itself: huma would check it
// against the schema, decode it a second time, and echo it whole in an error.
func withBody(op huma.Operation, description string, maxBytes int64, required bool) huma.Operation {
	op.RequestBody = &huma.RequestBody{Description: description, Required: required, Content: map[string]*huma.MediaType{}}
	op.MaxBodyBytes = maxBytes
	op.BodyReadTimeout = bodyTimeout
	op.SkipValidateBody = true
	return op
}

// documentBody sets the schema of an operation's body, which huma has overwritten
// with that of a byte string.
func documentBody(op huma.Operation, schema *huma.Schema, required bool) {
	op.RequestBody.Required = required
	op.RequestBody.Content["application/json"] = &huma.MediaType{Schema: schema}
}

// schemaOf refers to the schema of T.
func schemaOf[T any](a huma.API) *huma.Schema {
	return a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[T](), true, "")
}

// relaxed registers a copy of T's schema in which only some fields are required:
// a body whose other fields have defaults or stand in the path.
func relaxed[T any](a huma.API, name string, required ...string) *huma.Schema {
	registry := a.OpenAPI().Components.Schemas
	copied := *registry.SchemaFromRef(schemaOf[T](a).Ref)
	copied.Required = required
	registry.Map()[name] = &copied
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

// serveOpenAPI serves the document, made once, now.
func serveOpenAPI(mux *http.ServeMux, a huma.API) {
	text, err := json.Marshal(a.OpenAPI())
	if err != nil {
		panic("OpenAPI document: " + err.Error()) // made of constants: a bug, seen by every test
	}
	yaml, err := a.OpenAPI().YAML()
	if err != nil {
		panic("OpenAPI document: " + err.Error())
	}
	mux.HandleFunc("GET /openapi.json", constant("application/openapi+json", text))
	mux.HandleFunc("GET /openapi.yaml", constant("application/openapi+yaml", yaml))
}

func constant(contentType string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(body) // the reader has gone
	}
}
