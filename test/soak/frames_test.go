package main

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testLab has addresses like those of lab.sh with two arms.
func testLab() *lab {
	l := &lab{addrs: map[string]netip.Addr{}}
	for name, last := range map[string]string{"client": "1.%10", "gw": "1.%1", "gw-back": "2.%1", "rs1": "2.%11", "rs2": "2.%12", "local": "2.%2",
		"vip-fullnat": "1.%100", "vip-dr": "1.%101", "vip-nat": "1.%102", "vip-tun": "1.%103", "vip-mixed": "1.%104"} {
		l.addrs[name+" 4"] = netip.MustParseAddr("10." + strings.Replace(last, "%", "0.", 1))
		l.addrs[name+" 6"] = netip.MustParseAddr("fd00:51:" + strings.Replace(last, ".%", "::", 1))
	}
	return l
}

// Every kind makes frames from whatever the dice say, the same for the same seed,
// and never in the name of anybody whose traffic is real.
func TestFramesOfEveryKind(t *testing.T) {
	l := testLab()
	real := []string{l.addr("client", "4").String(), l.addr("rs1", "4").String(), l.addr("rs2", "4").String(),
		l.addr("client", "6").String(), l.addr("rs1", "6").String(), l.addr("rs2", "6").String()}
	for side := range 2 {
		f := newForge(l, side, [6]byte{2, 0, 0, 0, 0, 1}, [6]byte{2, 0, 0, 0, 0, 2})
		require.NotEmpty(t, f.prepared)
		one, other := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
		for _, kind := range kinds {
			for range 2000 {
				name, frame := f.frame(one, kind.name)
				_, again := f.frame(other, kind.name)
				require.Equal(t, kind.name, name)
				require.Equal(t, frame, again)
				if p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default); p.NetworkLayer() != nil {
					require.NotContains(t, real, p.NetworkLayer().NetworkFlow().Src().String(), kind.name)
				}
			}
		}
	}
}

// Mutation changes frames, and those whose sum it mends have a right one.
func TestMutate(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	whole := newForge(testLab(), 0, [6]byte{2}, [6]byte{2}).packet(r)
	whole.Src, whole.Dst = "198.18.0.1", "10.1.0.100"
	changed := 0
	for range 1000 {
		if string(mutate(r, whole.Bytes())) != string(whole.Bytes()) {
			changed++
		}
	}
	assert.Greater(t, changed, 950)
	mended := whole.Bytes()
	mended[24], mended[25] = 0, 0
	resum(mended)
	assert.Equal(t, whole.Bytes(), mended)
}
