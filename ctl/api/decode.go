package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"
)

// DecodeJSON decodes data into v, strictly: one value, no unknown field, no
// field twice, names in the exact case. Errors are *Error of kind Malformed.
func DecodeJSON(data []byte, v any) error {
	if err := checkNames(data); err != nil {
		return decodeError(data, v, err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return decodeError(data, v, err)
	}
	return nil
}

// DecodeYAML is DecodeJSON for YAML (of which JSON is a part), one document.
func DecodeYAML(data []byte, v any) error {
	if rest := yamlRest(data); len(rest) > 0 {
		return &Error{Kind: Malformed, Why: "more than one YAML document", Remedy: "keep one"}
	}
	data, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		why := strings.TrimPrefix(err.Error(), "yaml: ")
		return &Error{Kind: Malformed, Why: why, Remedy: "correct the YAML"}
	}
	return DecodeJSON(data, v)
}

// yamlRest returns what follows the first document's end. The YAML library
// reads one document and drops the rest without a word.
func yamlRest(data []byte) []byte {
	data = bytes.TrimSpace(data)
	data = bytes.TrimPrefix(data, []byte("---"))
	_, rest, _ := bytes.Cut(data, []byte("\n---"))
	return bytes.TrimSpace(rest)
}

// nameError is what encoding/json lets pass.
type nameError struct{ name, why, remedy string }

func (e *nameError) Error() string { return e.why }

// checkNames walks the tokens of data and rejects objects that name a member
// twice or in upper case: encoding/json would take the last one and ignore case.
func checkNames(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := checkValue(d); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return &nameError{why: "more than one JSON value", remedy: "send one"}
	}
	return nil
}

func checkValue(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('['):
		for d.More() {
			if err := checkValue(d); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		if err := checkObject(d); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err = d.Token() // the closing delimiter
	return err
}

func checkObject(d *json.Decoder) error {
	var seen [8]string // objects here are small; no map per backend
	names := seen[:0]
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if name != strings.ToLower(name) {
			return &nameError{name, "unknown field", "field names are in lower case"}
		}
		for _, old := range names {
			if old == name {
				return &nameError{name, "field given twice", "keep one"}
			}
		}
		if names = append(names, name); len(names) > 64 {
			return &nameError{name, "too many fields", "see /openapi.json for the fields there are"}
		}
		if err := checkValue(d); err != nil {
			return err
		}
	}
	return nil
}

// decodeError turns what encoding/json says into an *Error.
func decodeError(data []byte, v any, err error) error {
	var name *nameError
	var syntax *json.SyntaxError
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &name):
		return &Error{Kind: Malformed, Field: name.name, Why: name.why, Remedy: name.remedy}
	case errors.As(err, &syntax):
		return &Error{Kind: Malformed, Why: err.Error() + at(data, syntax.Offset), Remedy: "send valid JSON"}
	case errors.As(err, &wrong):
		field, ok := pathAt(json.NewDecoder(bytes.NewReader(data)), wrong.Offset, "")
		if !ok {
			field = wrong.Field
		}
		return &Error{Kind: Malformed, Field: field, Value: wrong.Value, Why: "has to be " + wanted(wrong)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Kind: Malformed, Why: "ends before the JSON value does", Remedy: "send it whole"}
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return unknownField(data, v, strings.Trim(field, `"`))
	}
	return &Error{Kind: Malformed, Why: strings.TrimPrefix(err.Error(), "json: ")}
}

func wanted(e *json.UnmarshalTypeError) string {
	switch kind := e.Type.String(); kind {
	case "uint16":
		return "a whole number from 0 to 65535"
	case "uint32", "uint64":
		return "a whole number, 0 or more"
	case "string":
		return "a string"
	default:
		if strings.HasPrefix(kind, "[]") {
			return "a list"
		}
		return "an object"
	}
}

// at writes the position of a byte as line and column.
func at(data []byte, offset int64) string {
	before := data[:min(max(offset, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	return fmt.Sprintf(" at line %d, near column %d", line, len(before)-bytes.LastIndexByte(before, '\n')-1)
}
