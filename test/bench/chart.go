package main

import (
	"fmt"
	"math"
	"os"
	"strings"
)

// The chart's measures in pixels.
const (
	barHeight  = 14
	barGap     = 6
	labelWidth = 260
	barsWidth  = 460
	chartWidth = labelWidth + barsWidth + 110
)

// writeChart draws ns a packet of each case on a logarithmic scale, a bar for
// the worker and a mark for the target; a line is testpmd.
func writeChart(path string, results []Result) error {
	rows := packets(results)
	if len(rows) == 0 {
		return nil
	}
	most, macswap := 100.0, 0.0
	for _, r := range rows {
		most = max(most, r.NS)
		macswap += r.Macswap / float64(len(rows))
	}
	x := func(ns float64) float64 {
		return labelWidth + barsWidth*math.Log(max(ns, 1))/math.Log(most*1.1)
	}
	height := len(rows)*(barHeight+barGap) + 60
	var s strings.Builder
	fmt.Fprintf(&s, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, height)
	fmt.Fprintf(&s, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for _, ns := range []float64{1, 3, 10, 30, 100, 300, 1000, 3000} {
		if ns > most*1.1 {
			break
		}
		fmt.Fprintf(&s, `<line x1="%.0f" x2="%.0f" y1="24" y2="%d" stroke="#ddd"/><text x="%.0f" y="18" text-anchor="middle" fill="#555">%.0f</text>`+"\n", x(ns), x(ns), height-30, x(ns), ns)
	}
	for i, r := range rows {
		y := 30 + i*(barHeight+barGap)
		fmt.Fprintf(&s, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelWidth-6, y+11, r.Case)
		fmt.Fprintf(&s, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="#2a7ab0"/>`, labelWidth, y, x(r.NS)-labelWidth, barHeight)
		fmt.Fprintf(&s, `<text x="%.0f" y="%d">%.1f ns</text>`, x(r.NS)+4, y+11, r.NS)
		if r.Target > 0 {
			fmt.Fprintf(&s, `<rect x="%.1f" y="%d" width="3" height="%d" fill="#d07000"/>`, x(r.Target), y-2, barHeight+4)
		}
		s.WriteByte('\n')
	}
	fmt.Fprintf(&s, `<line x1="%.0f" x2="%.0f" y1="24" y2="%d" stroke="#208040" stroke-dasharray="4 3"/>`+"\n", x(macswap), x(macswap), height-30)
	fmt.Fprintf(&s, `<text x="%d" y="%d" fill="#333">ns a packet, logarithmic. Bars: Sluice; orange: target; green line: dpdk-testpmd macswap, same core, same run.</text>`+"\n</svg>\n", 10, height-10)
	return os.WriteFile(path, []byte(s.String()), 0o644)
}

// packets are the results that have a time a packet beside testpmd's.
func packets(results []Result) (out []Result) {
	for _, r := range results {
		if r.NS > 0 && r.Macswap > 0 {
			out = append(out, r)
		}
	}
	return out
}
