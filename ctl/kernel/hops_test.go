package kernel

import (
	"net/netip"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sluice-lb/sluice/service"
)

func hopKey(n int) service.Neighbour {
	return service.Neighbour{Link: 1, Addr: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})}
}

// An id goes to another host when, and only when, nobody holds a view that has
// it. All ids but a few are taken, so that new hosts need those of old ones.
func TestNextHopIDsAreReused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHopIDs(quiet)
		h.last = service.MaxNextHops - 1 - 6
		type held struct {
			net   *service.Net
			hosts map[service.NextHopID]service.Neighbour
		}
		var views []held
		present := map[service.Neighbour]bool{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			key := hopKey(rapid.IntRange(1, 9).Draw(t, "host"))
			if rapid.Bool().Draw(t, "goes") {
				delete(present, key)
			} else if id := h.allocate(key); id != 0 {
				present[key] = true
				for _, v := range views {
					owner, taken := v.hosts[id]
					require.False(t, taken && owner != key, "id %d of %v given to %v", id, owner, key)
				}
			}
			net := service.NewNet(1, nil, nil, nil)
			h.publish(net, func(key service.Neighbour) bool { return present[key] })
			now := held{net, map[service.NextHopID]service.Neighbour{}}
			for key := range present {
				now.hosts[h.of(key)] = key
			}
			require.Len(t, now.hosts, len(present), "each its own")
			views = append(views, now)
			if n := rapid.IntRange(-3, len(views)-1).Draw(t, "let go"); n > 0 {
				views = slices.Clone(views[n:]) // without the old array, which holds the first
				runtime.GC()
			}
		}
		last := views[len(views)-1]
		views = nil
		runtime.GC()
		h.publish(service.NewNet(1, nil, nil, nil), func(key service.Neighbour) bool { return present[key] })
		for n := range 6 - len(present) {
			require.NotZero(t, h.allocate(hopKey(100+n)), "all others are free again")
		}
		require.Zero(t, h.allocate(hopKey(200)), "but no more")
		runtime.KeepAlive(last.net)
	})
}

// More hosts than there are ids come and go, and the last of them is reached.
func TestMoreHostsThanIDs(t *testing.T) {
	needNamespace(t)
	p := openPath(t, Config{}, portNumber(0))
	p.mirror.ids.last = service.MaxNextHops - 1 - 4
	require.NoError(t, p.Start())
	defer p.close()
	for n := range 40 {
		host := netip.AddrFrom4([4]byte{10, 0, 0, byte(n + 10)}).String()
		addNeighbour(t, p, host, macA, unix.NUD_PERMANENT)
		eventually(t, func() bool {
			if p.leads(host, macA) {
				return true
			}
			runtime.GC() // as it comes in a daemon sooner or later
			addNeighbour(t, p, host, macA, unix.NUD_PERMANENT)
			return false
		}, "host %d of 40 with 4 ids", n)
		addNeighbour(t, p, host, macA, unix.NUD_FAILED)
		deleteNeighbour(t, p, host)
		eventually(t, func() bool { return !p.leads(host, macA) }, "host %d gone", n)
	}
}
