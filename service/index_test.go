package service

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func drawAddr(t *rapid.T) netip.Addr {
	low := rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")
	if rapid.Bool().Draw(t, "v6") {
		b := [16]byte{0x20, 1, 0x0d, 0xb8}
		copy(b[12:], low)
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte{10, 0, low[2] % 4, low[3]})
}

func drawKey(t *rapid.T) Key {
	return Key{
		Proto: rapid.SampledFrom([]uint8{TCP, UDP}).Draw(t, "protocol"),
		Addr:  drawAddr(t), Port: rapid.Uint16Range(1, 8).Draw(t, "port"),
	}
}

// The index answers as a map would.
func TestIndexLikeMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index, want := newIndex(rapid.IntRange(0, 50).Draw(t, "size")), map[Key]uint32{}
		for i := range rapid.Uint32Range(0, 100).Draw(t, "puts") {
			key := drawKey(t)
			index.put(key.Wire(), i+1)
			want[key] = i + 1
		}
		require.Equal(t, len(want), index.used)
		for key, value := range want {
			require.Equal(t, value, index.get(key.Wire()))
		}
		stranger := drawKey(t)
		require.Equal(t, want[stranger], index.get(stranger.Wire()))
	})
}

// Keys that differ in one field only are different keys, the family included.
func TestWireSeesEveryField(t *testing.T) {
	key := Key{TCP, netip.MustParseAddr("10.0.0.1"), 80}
	for _, other := range []Key{
		{UDP, key.Addr, key.Port}, {TCP, key.Addr, 81}, {TCP, key.Addr.Next(), key.Port}, {TCP, netip.MustParseAddr("2001:db8::1"), 80},
		{TCP, netip.AddrFrom16([16]byte{8: 10, 11: 1}), 80}, {TCP, netip.MustParseAddr("::ffff:10.0.0.1"), 80},
	} {
		require.NotEqual(t, key.Wire(), other.Wire())
		require.NotEqual(t, key.Wire().hash(seed), other.Wire().hash(seed))
		require.Equal(t, key.Addr == other.Addr, key.Wire().Address() == other.Wire().Address())
		require.Equal(t, key.Addr == other.Addr, key.Wire().Spread() == other.Wire().Spread())
	}
}

// Sequential addresses and ports, as configurations have them, spread out: no
// look-up has to probe far.
func TestIndexSpreads(t *testing.T) {
	index := newIndex(0)
	base := netip.MustParseAddr("10.1.0.0").As4()
	for i := range 20000 {
		a := base
		a[2], a[3] = byte(i>>8), byte(i)
		index.put(Key{TCP, netip.AddrFrom4(a), 80}.Wire(), uint32(i))
	}
	run, longest := 0, 0
	for _, c := range index.cells {
		if run++; c.key == (Wire{}) {
			run = 0
		}
		longest = max(longest, run)
	}
	require.Less(t, longest, 200) // a random fill at this load stays below 70 or so
}
