package config

import (
	"fmt"
	"slices"
	"strings"
)

// Error is everything that is wrong with a configuration file.
type Error struct {
	File  string
	Lines []string // key: value: why: what to do
}

// Error has a line for each, with the file in front.
func (e *Error) Error() string {
	out := make([]string, len(e.Lines))
	for i, line := range e.Lines {
		out[i] = e.File + ": " + line
	}
	return strings.Join(out, "\n")
}

// bad is an error about one key.
func bad(key string, value any, why, remedy string) error {
	return fmt.Errorf("%s: %v: %s: %s", key, value, why, remedy)
}

// lines are the parts of a joined error.
func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

// keyOf is what a line is about.
func keyOf(line string) string {
	key, _, _ := strings.Cut(line, ":")
	return key
}

// keysOf are the keys of lines, and those that they lie in: an element that
// could not be read makes its list shorter.
func keysOf(lines []string) map[string]bool {
	keys := map[string]bool{}
	for _, line := range lines {
		key := keyOf(line)
		keys[key] = true
		if list, _, ok := strings.Cut(key, "["); ok {
			keys[list] = true
		}
	}
	return keys
}

// explain turns what mapstructure says into lines of ours.
func explain(err error) []string {
	out := slices.DeleteFunc(lines(err), func(line string) bool {
		return strings.TrimSpace(line) == "" || strings.HasPrefix(line, "decoding failed")
	})
	for i, line := range out {
		line = strings.TrimPrefix(strings.TrimSpace(line), "* ")
		where, keys, unknown := strings.Cut(line, " has invalid keys: ")
		key, why, quoted := strings.Cut(strings.TrimPrefix(line, "'"), "' ")
		switch {
		case unknown:
			line = fmt.Sprintf("%s.%s: unknown key: remove it or correct its name; an example with all keys is deploy/sluice.yaml",
				strings.Trim(where, "'"), keys)
		case quoted && strings.HasPrefix(line, "'"):
			line = key + ": " + why
		}
		out[i] = line
	}
	return out
}
