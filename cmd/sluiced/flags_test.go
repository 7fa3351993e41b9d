package main

import (
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// What is wrong with a flag is said without the names of Go's functions.
func TestFlagErrors(t *testing.T) {
	for given, want := range map[string]string{
		"--workers-flows=many":                 "--workers-flows: many: no whole number, or too large: give digits alone",
		"--workers-flows=99999999999999999999": "--workers-flows: 99999999999999999999: no whole number, or too large: give digits alone",
		"--workers-cores=1,x":                  "--workers-cores: 1,x: no whole numbers, or too large: give digits with commas between, such as 1,2",
		"--eal-hugepages=maybe":                "--eal-hugepages: maybe: neither true nor false: give one of them, or the flag alone for true",
		"--log-level":                          "--log-level: value is missing: see: sluiced --help",
		"--bogus":                              "unknown flag: --bogus: see: sluiced --help",
	} {
		c := command()
		c.SetArgs([]string{given})
		require.EqualError(t, c.Execute(), want)
	}
}

// TestFlagTypes: there is something to say about a bad value of every flag that can
// have one.
func TestFlagTypes(t *testing.T) {
	command().Flags().VisitAll(func(f *pflag.Flag) {
		if kind := f.Value.Type(); kind != "string" {
			require.Contains(t, flagWants, kind, f.Name)
		}
	})
}
