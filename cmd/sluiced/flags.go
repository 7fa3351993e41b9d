package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagWants says what a flag of each type takes.
var flagWants = map[string]string{
	"bool":     "neither true nor false: give one of them, or the flag alone for true",
	"int":      "no whole number, or too large: give digits alone",
	"intSlice": "no whole numbers, or too large: give digits with commas between, such as 1,2",
}

// flagError says what is wrong with a flag, where the library quotes the function
// that could not read its value.
func flagError(cmd *cobra.Command, err error) error {
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		if wants := flagWants[bad.GetFlag().Value.Type()]; wants != "" {
			return fmt.Errorf("--%s: %s: %s", bad.GetFlag().Name, bad.GetValue(), wants)
		}
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("--%s: value is missing: see: %s --help", missing.GetSpecifiedName(), cmd.CommandPath())
	}
	return fmt.Errorf("%w: see: %s --help", err, cmd.CommandPath())
}
