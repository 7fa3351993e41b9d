package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	assert.Equal(t, 3.0, median([]float64{9, 1, 3}))
	assert.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
}

func TestQuantilesOfGaps(t *testing.T) {
	g := new(gapCounts)
	g.begin()
	var now time.Duration
	for range 9998 {
		now += 2 * time.Microsecond
		g.poll(now)
	}
	for _, stall := range []time.Duration{50 * time.Microsecond, 3 * time.Millisecond} {
		now += stall
		g.poll(now)
	}
	assert.InEpsilon(t, 2, g.quantile(0.9998), 1.0/16)
	assert.InEpsilon(t, 50, g.quantile(0.9999), 1.0/16)
	assert.Equal(t, 3000.0, g.quantile(1))
	assert.Equal(t, 3000.0, g.longest())
	g.begin()
	g.poll(time.Millisecond)
	assert.Equal(t, 3000.0, g.longest(), "a chunk begins at 0 again")
}

func TestFieldOfTestpmd(t *testing.T) {
	const text = "  Throughput (since last show)\n  Rx-pps:    163212345          Rx-bps:  0\n"
	pps, err := field(text, "Rx-pps:")
	require.NoError(t, err)
	assert.Equal(t, 163212345.0, pps)
	_, err = field(text, "Tx-pps:")
	assert.Error(t, err)
}

func TestTargetsAreJudgedInTheirUnit(t *testing.T) {
	assert.True(t, Result{NS: 14, Target: 14}.met())
	assert.False(t, Result{NS: 14.1, Target: 14}.met())
	assert.True(t, Result{PerS: 6e6, Target: 5e6}.met())
	assert.False(t, Result{PerS: 4e6, Target: 5e6}.met())
	assert.False(t, Result{Bytes: 160, Target: 152}.met())
}

func TestCasesOfTheIssue(t *testing.T) {
	full, quick := map[string]hits{}, map[string]hits{}
	for _, c := range hitCases(false) {
		assert.NotContains(t, full, c.name)
		full[c.name] = c
	}
	for _, c := range hitCases(true) {
		quick[c.name] = c
		assert.Contains(t, full, c.name, "what is quick is part of what is full")
	}
	assert.Len(t, quick, 4*3+2+2*3)
	for _, name := range []string{"dr/ipv4/uniform/10M", "tun/ipv6/zipf/100k", "nat/ipv4/zipf/1/reply", "fullnat/ipv4/uniform/1M/10000x10"} {
		assert.Contains(t, full, name)
	}
	assert.Len(t, pcapCases(true), 2)
	pcap := map[string]int{}
	for _, c := range pcapCases(false) {
		pcap[c.name] = c.flows
	}
	for _, c := range pcapCases(true) {
		assert.Contains(t, pcap, c.name)
	}
	assert.Equal(t, 500_000, pcap["pcap/fullnat/ipv4/500k"])
	assert.Equal(t, 32.0, quick["fullnat/ipv4/uniform/1M"].target)
	assert.InDelta(t, 44.8, quick["fullnat/ipv6/uniform/1M"].target, 1e-9)
}

// The page tells every result, the misses too, and the chart is good XML.
func TestPageTellsAll(t *testing.T) {
	results := []Result{
		{Case: "machine", Machine: &Machine{CPU: "a CPU", Commit: "abc"}},
		{Case: "dr/ipv4/uniform/1k", NS: 20, MPPS: 50, Macswap: 5, Ratio: 4, Target: 14},
		{Case: "new/udp", PerS: 6e6, Target: 5e6, Timeout: "1s"},
		{Case: "gap/churn", P9999: 3, P999999: 4, Max: 5, SpinMax: 1, Kept: 0.97},
		{Case: "pcap/fullnat/ipv4/1k", NS: 31, Macswap: 17, Ratio: 1.8},
		{Case: "handover/one-core/1k", NS: 50, MPPS: 20, Handover: 30, Direct: 20},
		{Case: "workers/2/handover/1k", NS: 25, MPPS: 40, Lost: 0.013},
		{Case: "memory/ipv4", Bytes: 140, Target: 152},
	}
	dir := t.TempDir()
	require.NoError(t, writePage(dir, results))
	page, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	require.NoError(t, err)
	for _, want := range []string{"a CPU", "commit abc", `dr/ipv4/uniform/1k \| 20.0 .*missed`, `new/udp \| 6.00 .*met`, `gap/churn \| 3.0 .*97%`, `memory/ipv4 \| 140.0 .*met`,
		`pcap/fullnat/ipv4/1k \| 31.0 .*1.8`, `handover/one-core/1k \| 50.0 \| 20.0 \| 30.0 \| 20.0 \|`, `workers/2/handover/1k \| 25.0 \| 40.0 .*1.30%`} {
		assert.Regexp(t, regexp.MustCompile(want), string(page))
	}
	assert.Len(t, regexp.MustCompile(`handover/1k`).FindAllString(string(page), -1), 1, "in one table")
	chart, err := os.ReadFile(filepath.Join(dir, "performance.svg"))
	require.NoError(t, err)
	assert.Contains(t, string(chart), "dr/ipv4/uniform/1k")
	dec := xml.NewDecoder(strings.NewReader(string(chart)))
	for err == nil {
		_, err = dec.Token()
	}
	require.True(t, errors.Is(err, io.EOF), err)
}
