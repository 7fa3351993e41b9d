package worker

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/flow"
)

// The verification suite that Microsoft published for RSS ("Verifying the RSS
// Hash Calculation"), with ports. RSSKey is the suite's.
var (
	suite4 = []vector{
		{"66.9.149.187:2794", "161.142.100.80:1766", 0x51ccc178},
		{"199.92.111.2:14230", "65.69.140.83:4739", 0xc626b0ea},
		{"24.19.198.95:12898", "12.22.207.184:38024", 0x5c2b394a},
		{"38.27.205.30:48228", "209.142.163.6:2217", 0xafc7327f},
		{"153.39.163.191:44251", "202.188.127.2:1303", 0x10e828a2},
	}
	suite6 = []vector{
		{"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d},
		{"[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0xdde51bbf},
		{"[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024", 0x02d1feef},
	}
)

type vector struct {
	src, dst string
	hash     uint32
}

func (v vector) tuple4() flow.Tuple4 {
	src, dst := netip.MustParseAddrPort(v.src), netip.MustParseAddrPort(v.dst)
	return flow.Tuple4{
		Addrs: uint64(rawAddress(src.Addr())) | uint64(rawAddress(dst.Addr()))<<32,
		Ports: uint32(hostPort(src.Port())) | uint32(hostPort(dst.Port()))<<16, Proto: 6,
	}
}

func (v vector) tuple6() (t flow.Tuple6) {
	src, dst := netip.MustParseAddrPort(v.src), netip.MustParseAddrPort(v.dst)
	t.Addrs[0], t.Addrs[1] = rawAddress6(src.Addr())
	t.Addrs[2], t.Addrs[3] = rawAddress6(dst.Addr())
	t.Ports, t.Proto = uint32(hostPort(src.Port()))|uint32(hostPort(dst.Port()))<<16, 6
	return t
}

func TestToeplitz(t *testing.T) {
	for _, v := range suite4 {
		assert.Equal(t, v.hash, toeplitz(v.tuple4()), v.src)
		for workers := 1; workers < 9; workers++ {
			assert.Equal(t, int(v.hash&127)%workers, owner(v.hash, workers))
		}
	}
	for _, v := range suite6 {
		tuple := v.tuple6()
		assert.Equal(t, v.hash, toeplitz6(&tuple), v.src)
	}
}

// TestToeplitzIsLinear: the port's part is added to that of the rest. On the
// vectors, so that both sides are held to what is published.
func TestToeplitzIsLinear(t *testing.T) {
	for _, v := range suite4 {
		tuple := v.tuple4()
		port := tuple.Ports >> 16
		tuple.Ports &= 0xffff
		assert.Equal(t, v.hash, toeplitz(tuple)^portHash(portBytes4, port), v.src)
	}
	for _, v := range suite6 {
		tuple := v.tuple6()
		port := tuple.Ports >> 16
		tuple.Ports &= 0xffff
		assert.Equal(t, v.hash, toeplitz6(&tuple)^portHash(portBytes6, port), v.src)
	}
}

// TestShares: what is counted by classes of hashes is what counting each port
// gives, and all workers' shares are all ports.
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workers := rapid.IntRange(1, 16).Draw(t, "workers")
		tuple := flow.Tuple4{Addrs: rapid.Uint64().Draw(t, "addresses"), Ports: uint32(rapid.Uint16().Draw(t, "port"))}
		fixed := toeplitz(tuple)
		want := make([]uint32, workers)
		for port := firstLocalPort; port < 1<<16; port++ {
			tuple.Ports = tuple.Ports&0xffff | uint32(hostPort(uint16(port)))<<16
			want[owner(toeplitz(tuple), workers)]++
		}
		for id := range workers {
			shares := shares(id, workers, portBytes4)
			assert.Equal(t, want[id], shares[fixed%RETASize], "worker %d of %d", id, workers)
		}
	})
}
