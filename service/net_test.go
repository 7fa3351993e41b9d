package service

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/packet"
)

func testNet() *Net {
	prefix, addr := netip.MustParsePrefix, netip.MustParseAddr
	return NewNet(7, nil, map[netip.Prefix]Route{
		prefix("0.0.0.0/0"):     {Via: []NextHopID{1, 2, 2}},
		prefix("10.1.0.0/16"):   {Link: 1},
		prefix("10.1.9.0/24"):   {}, // blackhole
		prefix("10.2.0.0/16"):   {Link: 2},
		prefix("10.3.0.0/16"):   {Via: []NextHopID{3}},
		prefix("2001:db8::/64"): {Link: 1},
	}, map[Neighbour]NextHopID{
		{1, addr("10.1.0.5")}:    5,
		{2, addr("10.2.0.5")}:    6,
		{1, addr("2001:db8::5")}: 8,
	})
}

func TestNextHop(t *testing.T) {
	net := testNet()
	for _, c := range []struct {
		dst  string
		id   NextHopID
		why  packet.Verdict
		what string
	}{
		{"10.1.0.5", 5, packet.Pending, "on-link, resolved"},
		{"10.2.0.5", 6, packet.Pending, "on-link at another port"},
		{"10.1.0.6", 0, packet.DropNoNeighbour, "on-link, not resolved"},
		{"10.1.9.5", 0, packet.DropNoRoute, "blackhole inside an on-link prefix"},
		{"10.3.4.5", 3, packet.Pending, "through a gateway"},
		{"2001:db8::5", 8, packet.Pending, "IPv6"},
		{"2001:db9::5", 0, packet.DropNoRoute, "IPv6 without default route"},
	} {
		id, why := net.NextHop(netip.MustParseAddr(c.dst), 12345)
		assert.Equal(t, c.id, id, c.what)
		assert.Equal(t, c.why, why, c.what)
	}
	assert.EqualValues(t, 7, net.Epoch)
	_, why := NewNet(1, nil, nil, nil).NextHop(netip.MustParseAddr("10.0.0.1"), 0)
	assert.Equal(t, packet.DropNoRoute, why)
}

// A flow's hash always leads to the same gateway; over all hashes gateways
// share as their weights say.
func TestECMP(t *testing.T) {
	net, dst := testNet(), netip.MustParseAddr("192.0.2.1")
	count := map[NextHopID]int{}
	for hash := range uint32(3000) {
		id, why := net.NextHop(dst, hash)
		assert.Equal(t, packet.Pending, why)
		count[id]++
	}
	assert.Equal(t, map[NextHopID]int{1: 1000, 2: 2000}, count)
	rapid.Check(t, func(t *rapid.T) {
		hash := rapid.Uint32().Draw(t, "hash")
		a, _ := net.NextHop(dst, hash)
		b, _ := net.NextHop(dst, hash)
		assert.Equal(t, a, b)
	})
}

// The first byte's short cut gives the same route as the whole table.
func TestOctetsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		routes := map[netip.Prefix]Route{}
		for i := range rapid.IntRange(0, 12).Draw(t, "routes") {
			addr := drawAnyAddr(t)
			prefix, _ := addr.Prefix(rapid.IntRange(0, min(addr.BitLen(), 20)).Draw(t, "bits"))
			routes[prefix] = []Route{{Link: uint16(i + 1)}, {Via: []NextHopID{NextHopID(i + 1)}}}[i%2]
		}
		net := NewNet(1, nil, routes, nil)
		for range 20 {
			addr := drawAnyAddr(t)
			want, known := net.routes.Lookup(addr)
			got, ok := net.route(addr)
			assert.Equal(t, known, ok, addr)
			assert.Equal(t, want, got, addr)
			hop, why := net.NextHop(addr, 0)
			wireHop, wireWhy := net.NextHopWire(wireAddress(addr), 0)
			assert.True(t, hop == wireHop && why == wireWhy, addr)
		}
	})
}

func drawAnyAddr(t *rapid.T) netip.Addr {
	b := [16]byte(rapid.SliceOfN(rapid.ByteRange(0, 20), 16, 16).Draw(t, "address"))
	if rapid.Bool().Draw(t, "v6") {
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}
