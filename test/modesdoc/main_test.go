package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const document = "before\n<!-- capture dr ipv4: ours -->\nold\n<!-- end of capture -->\nbetween\n" +
	"<!-- capture tun 4in6: ours -->\n<!-- end of capture -->\nafter\n"

func TestFillReplacesSectionsAndNothingElse(t *testing.T) {
	out, err := fill(document, func(name string) (string, error) { return "new " + name + "\n", nil })
	require.NoError(t, err)
	assert.Equal(t, strings.NewReplacer("old\n", "new dr ipv4\n", "4in6: ours -->\n", "4in6: ours -->\nnew tun 4in6\n").Replace(document), out)
	again, err := fill(out, func(name string) (string, error) { return "new " + name + "\n", nil })
	require.NoError(t, err)
	assert.Equal(t, out, again)
}

func TestFillSaysWhatFailed(t *testing.T) {
	_, err := fill(document, func(name string) (string, error) { return "", errors.New("nothing captured") })
	assert.ErrorContains(t, err, "section dr ipv4: nothing captured")
	_, err = fill("text\n", nil)
	assert.ErrorContains(t, err, "no section")
}

func TestOnlyTheChangedSideIsBold(t *testing.T) {
	for _, c := range []struct{ value, before, want string }{
		{"a → b", "a → c", " a → **b** |"},
		{"a → b", "", " **a** → **b** |"},
		{"63", "64", " **63** |"},
		{"a → b", "a → b", " a → b |"},
	} {
		var b strings.Builder
		cell(&b, c.value, c.before, 1)
		assert.Equal(t, c.want, b.String())
	}
}
