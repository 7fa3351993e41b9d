package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// unknownField says where in data the field stands that v does not have, which
// encoding/json only names, and which fields there are in that place.
func unknownField(data []byte, v any, name string) *Error {
	field, there := name, []string(nil)
	var value any
	if json.Unmarshal(data, &value) == nil {
		if path, known := findUnknown(value, reflect.TypeOf(v)); path != "" {
			field, there = strings.TrimPrefix(path, "."), known
		}
	}
	remedy := "remove it or correct its name"
	if len(there) > 0 {
		remedy += "; known are " + strings.Join(there, ", ")
	}
	return &Error{Kind: Malformed, Field: field, Why: "unknown field", Remedy: remedy}
}

// findUnknown is the path of the first field in value that a value of type t has
// no place for, as .services[0].port, and the fields that have one there.
func findUnknown(value any, t reflect.Type) (path string, known []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch value := value.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return "", nil
		}
		for i, one := range value {
			if path, known := findUnknown(one, t.Elem()); path != "" {
				return fmt.Sprintf("[%d]%s", i, path), known
			}
		}
	case map[string]any:
		if t.Kind() == reflect.Struct {
			return unknownOf(value, t)
		}
	}
	return "", nil
}

// unknownOf is findUnknown for an object and a struct.
func unknownOf(object map[string]any, t reflect.Type) (path string, known []string) {
	types := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			types[name] = f.Type
			known = append(known, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		of, ok := types[name]
		if !ok {
			return "." + name, known
		}
		if path, known := findUnknown(object[name], of); path != "" {
			return "." + name + path, known
		}
	}
	return "", nil
}

// pathAt is the path of the value that ends at offset bytes of the JSON that d
// reads, or begins there if it is an array or object; path is that of d's next value.
func pathAt(d *json.Decoder, offset int64, path string) (string, bool) {
	token, err := d.Token()
	if err != nil || d.InputOffset() >= offset {
		return strings.TrimPrefix(path, "."), err == nil
	}
	for i := 0; (token == json.Delim('[') || token == json.Delim('{')) && d.More(); i++ {
		next := fmt.Sprintf("%s[%d]", path, i)
		if token == json.Delim('{') {
			name, _ := d.Token()
			next = fmt.Sprintf("%s.%v", path, name)
		}
		if found, ok := pathAt(d, offset, next); ok {
			return found, true
		}
	}
	if token == json.Delim('[') || token == json.Delim('{') {
		_, _ = d.Token() // the closing delimiter
	}
	return "", false
}
