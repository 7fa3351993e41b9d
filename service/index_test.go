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

// The index answers as a map would, also when all keys collide.
func TestIndexLikeMap(t *testing.T) {
	for name, hash := range map[string]func(Key) uint64{
		"hash": hashKey, "collisions": func(Key) uint64 { return ^uint64(0) },
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				index, want := newIndex[Key, ID](hash, rapid.IntRange(0, 50).Draw(t, "size")), map[Key]ID{}
				for i := range rapid.IntRange(0, 100).Draw(t, "puts") {
					key := drawKey(t)
					index.put(key, ID(i))
					want[key] = ID(i)
				}
				require.Equal(t, len(want), index.used)
				for key, id := range want {
					got, ok := index.get(key)
					require.True(t, ok)
					require.Equal(t, id, got)
				}
				stranger := drawKey(t)
				_, known := want[stranger]
				_, ok := index.get(stranger)
				require.Equal(t, known, ok)
			})
		})
	}
}

// Keys that differ in one field only are different keys.
func TestHashSeesEveryField(t *testing.T) {
	key := Key{TCP, netip.MustParseAddr("10.0.0.1"), 80}
	for _, other := range []Key{
		{UDP, key.Addr, key.Port}, {TCP, key.Addr, 81}, {TCP, key.Addr.Next(), key.Port}, {TCP, netip.MustParseAddr("2001:db8::1"), 80},
	} {
		require.NotEqual(t, hashKey(key), hashKey(other))
	}
}

// Sequential addresses and ports, as configurations have them, spread out: no
// look-up has to probe far.
func TestIndexSpreads(t *testing.T) {
	index := newIndex[Key, ID](hashKey, 0)
	base := netip.MustParseAddr("10.1.0.0").As4()
	for i := range 20000 {
		a := base
		a[2], a[3] = byte(i>>8), byte(i)
		index.put(Key{TCP, netip.AddrFrom4(a), 80}, ID(i))
	}
	run, longest := 0, 0
	for _, c := range index.cells {
		if run++; !c.full {
			run = 0
		}
		longest = max(longest, run)
	}
	require.Less(t, longest, 200) // a random fill at this load stays below 70 or so
}
