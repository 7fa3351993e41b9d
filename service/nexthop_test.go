package service

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/packet"
)

// header is what a rewrite stage would store of a hop: 12 bytes of Ethernet.
func header(h Hop) (b [12]byte) {
	for i := range 8 {
		b[i] = byte(h.DstSrc >> (8 * i))
	}
	for i := range 4 {
		b[8+i] = byte(h.Src() >> (8 * i))
	}
	return b
}

func drawMAC(t *rapid.T, label string) packet.MAC {
	return packet.MAC(rapid.SliceOfN(rapid.Byte(), 6, 6).Draw(t, label))
}

func TestNextHopsStoreAndLoad(t *testing.T) {
	hops := new(NextHops)
	rapid.Check(t, func(t *rapid.T) {
		id := NextHopID(rapid.Uint32Range(1, MaxNextHops-1).Draw(t, "id"))
		want := NextHop{
			Port: rapid.Uint16Range(0, 1023).Draw(t, "port"), VLAN: rapid.Uint16Range(0, 4094).Draw(t, "vlan"),
			MTU: rapid.Uint16().Draw(t, "mtu"), Src: drawMAC(t, "src"), Dst: drawMAC(t, "dst"), Resolved: true,
		}
		hops.Set(id, want)
		got, ok := hops.Load(id)
		require.True(t, ok)
		bytes := header(got)
		require.Equal(t, want.Dst[:], bytes[:6])
		require.Equal(t, want.Src[:], bytes[6:])
		require.Equal(t, [3]uint16{want.Port, want.VLAN, want.MTU}, [3]uint16{got.Port(), hops.VLAN(id), got.MTU()})
		want.Resolved = false
		hops.Set(id, want)
		_, ok = hops.Load(id)
		require.False(t, ok)
	})
}

func TestNextHopsOutOfRange(t *testing.T) {
	hops := new(NextHops)
	for _, id := range []NextHopID{0, MaxNextHops, MaxNextHops + 1, 1<<32 - 1} {
		hops.Set(id, NextHop{Dst: packet.MAC{1}, Resolved: true})
		_, ok := hops.Load(id)
		assert.False(t, ok, "%d", id)
	}
	hops.Set(1, NextHop{Dst: packet.MAC{1}, Resolved: true})
	_, ok := hops.Load(MaxNextHops + 1)
	assert.False(t, ok, "an id beyond the end is not another one")
}

// While a neighbour moves back and forth, a reader sees it at one place or the
// other, never at a mixture.
func TestNextHopsChangeWhileRead(t *testing.T) {
	const id, turns = 9, 20000
	hops := new(NextHops)
	at := func(x byte) NextHop {
		return NextHop{Port: 3, MTU: 1500, Src: packet.MAC{2, 2, 2, 2, 2, 2},
			Dst: packet.MAC{x, x, x, x, x, x}, Resolved: x != 0}
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				h, ok := hops.Load(id)
				if x := byte(h.DstSrc); ok && (header(h) != [12]byte{x, x, x, x, x, x, 2, 2, 2, 2, 2, 2} || h.Port() != 3) {
					t.Errorf("half a change: %+v", h)
					return
				}
			}
		})
	}
	for i := range turns {
		hops.Set(id, at(byte(i%5)))
	}
	close(done)
	readers.Wait()
}
