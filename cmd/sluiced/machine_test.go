package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sluice-lb/sluice/ctl/config"
)

func TestCoresThatDoNotExist(t *testing.T) {
	var c config.Config
	c.EAL.MainCore, c.Workers.Cores = 0, []int{0}
	require.NoError(t, checkCores(&c))
	c.EAL.MainCore, c.Workers.Cores = 5000, []int{0, 7777}
	err := checkCores(&c)
	require.ErrorContains(t, err, "eal.main_core: 5000: this machine has no such core online: choose one of ")
	require.ErrorContains(t, err, "\nworkers.cores[1]: 7777: ")
}

func TestInList(t *testing.T) {
	for list, want := range map[string][]int{"0": {0}, "0-1": {0, 1}, "0-2,5": {0, 1, 2, 5}, "1,3-4": {1, 3, 4}, "": nil} {
		var got []int
		for n := range 8 {
			if inList(list, n) {
				got = append(got, n)
			}
		}
		assert.Equal(t, want, got, list)
	}
}
