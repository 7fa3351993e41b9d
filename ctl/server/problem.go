package server

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/sluice-lb/sluice/ctl/api"
)

// withProblems answers requests for which mux has no route with a problem
// document instead of a line of text.
func withProblems(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &statusProbe{header: w.Header()}
		h.ServeHTTP(probe, r)
		w.Header().Del("Content-Length")
		writeProblem(w, routeProblem(probe, r))
	})
}

// statusProbe learns from the mux's own answer whether the path or the method
// is wrong, and which methods there are. Its headers go to the client, its body
// does not.
type statusProbe struct {
	header http.Header
	status int
}

func (p *statusProbe) Header() http.Header         { return p.header }
func (p *statusProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *statusProbe) WriteHeader(status int)      { p.status = status }

func routeProblem(probe *statusProbe, r *http.Request) *api.Problem {
	p := api.NewProblem(&api.Error{Kind: api.NotFound, Field: "path", Value: r.URL.Path,
		Why: "no such resource", Remedy: "see the paths there are in /openapi.json"})
	if probe.status == http.StatusMethodNotAllowed {
		p = api.NewProblem(&api.Error{Kind: api.Malformed, Field: "method", Value: r.Method,
			Why: fmt.Sprintf("%s does not take it", r.URL.Path), Remedy: "use " + probe.header.Get("Allow")})
		p.Status, p.Title = http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed)
	}
	return p
}

func writeProblem(w http.ResponseWriter, p *api.Problem) {
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(p) // nobody to tell
}
