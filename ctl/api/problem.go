package api

import (
	"fmt"
	"net/http"
	"slices"
)

// Problem is an error on the wire: a problem document, RFC 9457.
type Problem struct {
	Type   string          `json:"type" doc:"Always about:blank: the kind tells more." example:"about:blank"`
	Title  string          `json:"title" doc:"The status in words." example:"Not Found"`
	Status int             `json:"status" doc:"HTTP status code." example:"404"`
	Kind   Kind            `json:"kind,omitempty" enum:"malformed,invalid,not-found,conflict,stale,too-large,internal,busy,exhausted" doc:"What sort of error, for programs."`
	Detail string          `json:"detail,omitempty" doc:"What failed: value: why: what to do." example:"service: tcp:10.0.0.100:80: no such service: list them with sluicectl service list"`
	Errors []ProblemDetail `json:"errors,omitempty" nullable:"false" doc:"Every single thing that is wrong, the first 20."`
}

// ProblemDetail is one thing that is wrong.
type ProblemDetail struct {
	Location string `json:"location,omitempty" doc:"Where, as a path into the body, or the name of a parameter." example:"services[3].backends[0].weight"`
	Value    any    `json:"value,omitempty" doc:"What stood there."`
	Message  string `json:"message,omitempty" doc:"Why it is wrong."`
	Remedy   string `json:"remedy,omitempty" doc:"What to do."`
}

// NewProblem describes err, which is not nil.
func NewProblem(err error) *Problem {
	list := List(err)
	p := &Problem{Type: "about:blank", Kind: list[0].Kind, Status: kindStatus[list[0].Kind], Detail: list[0].Error()}
	if p.Status == 0 {
		p.Kind, p.Status = Internal, http.StatusInternalServerError
	}
	p.Title = http.StatusText(p.Status)
	if more := len(list) - 1; more > 0 {
		p.Detail += fmt.Sprintf(" (and %d more)", more)
	}
	for _, e := range list {
		d := ProblemDetail{Location: e.Field, Message: e.Why, Remedy: e.Remedy}
		if e.Value != "" {
			d.Value = e.Value
		}
		p.Errors = append(p.Errors, d)
	}
	return p
}

// Err is the reverse of NewProblem: an *Error, or Errors when there are several.
func (p *Problem) Err() error {
	kind := p.kind()
	var list Errors
	for _, d := range p.Errors {
		e := &Error{Kind: kind, Field: d.Location, Why: d.Message, Remedy: d.Remedy}
		if d.Value != nil {
			e.Value = fmt.Sprint(d.Value)
		}
		list.add(e)
	}
	if len(list) == 0 {
		why := p.Detail
		if why == "" {
			why = p.Title
		}
		list.add(&Error{Kind: kind, Why: why})
	}
	return list.err()
}

func (p *Problem) kind() Kind {
	if p.Kind != "" {
		return p.Kind
	}
	for kind, status := range kindStatus {
		if status == p.Status {
			return kind
		}
	}
	if p.Status >= 400 && p.Status < 500 {
		return Malformed
	}
	return Internal
}

// Kinds lists all kinds of errors, sorted.
func Kinds() []Kind {
	out := make([]Kind, 0, len(kindStatus))
	for kind := range kindStatus {
		out = append(out, kind)
	}
	slices.Sort(out)
	return out
}

// Error is the problem's detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status code.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is the media type of RFC 9457.
func (p *Problem) ContentType(string) string { return "application/problem+json" }
