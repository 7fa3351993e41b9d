package main

import (
	"fmt"

	"github.com/sluice-lb/sluice/service"
	"github.com/sluice-lb/sluice/test/bench/load"
)

var flowNames = map[int]string{1: "1", 1e3: "1k", 1e5: "100k", 5e5: "500k", 1e6: "1M", 1e7: "10M"}

// targets of one worker on net_ring in ns a packet (issue 4), for IPv4; for
// IPv6 1.4 times as much.
var targets = map[service.Mode]map[int]float64{
	service.ModeDR:      {1e3: 14, 1e5: 24, 1e6: 30, 1e7: 38},
	service.ModeNAT:     {1e3: 16, 1e5: 26, 1e6: 32, 1e7: 40},
	service.ModeFullNAT: {1e3: 16, 1e5: 26, 1e6: 32, 1e7: 40},
	service.ModeTun:     {1e3: 17, 1e5: 28, 1e6: 36, 1e7: 45},
}

const ipv6Factor = 1.4

var allModes = []service.Mode{service.ModeDR, service.ModeNAT, service.ModeFullNAT, service.ModeTun}

// hitCases are the packets of known flows; those that can share a filled table follow
// one another.
func hitCases(quick bool) (out []hits) {
	flows, draws := []int{1e3, 1e5, 1e6}, []string{"uniform"}
	if !quick {
		flows, draws = []int{1, 1e3, 1e5, 1e6, 1e7}, []string{"uniform", "zipf"}
	}
	for _, mode := range allModes {
		for _, n := range flows {
			for _, draw := range draws {
				out = append(out, hit(mode, false, draw, n, false))
				if mode == service.ModeNAT || mode == service.ModeFullNAT {
					out = append(out, hit(mode, false, draw, n, true))
				}
			}
			for _, draw := range draws {
				if !quick || mode == service.ModeFullNAT && n != 1e5 {
					out = append(out, hit(mode, true, draw, n, false))
				}
			}
		}
	}
	if !quick {
		for _, mode := range allModes {
			c := hit(mode, false, "uniform", 1e6, false)
			c.name += "/10000x10"
			c.setup.Services, c.setup.Backends, c.target = 10000, 10, 0
			out = append(out, c)
		}
	}
	return out
}

func hit(mode service.Mode, ipv6 bool, draw string, flows int, replies bool) hits {
	c := hits{setup: load.Setup{Mode: mode, IPv6: ipv6}, flows: flows, draw: load.Uniform, replies: replies, target: targets[mode][flows]}
	family, direction := "ipv4", ""
	if ipv6 {
		family = "ipv6"
		c.target *= ipv6Factor
	}
	if draw == "zipf" {
		c.draw = load.Zipf
	}
	if replies {
		direction = "/reply"
	}
	c.name = fmt.Sprintf("%s/%s/%s/%s%s", mode, family, draw, flowNames[flows], direction)
	return c
}
