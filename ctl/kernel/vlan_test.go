package kernel

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/packet"
)

// vlanNumber is VLAN id of port 0, with 10.0.id.1/24 on twin sl-w0.id.
func vlanNumber(id uint16, addresses ...string) PortSpec {
	spec := portNumber(0)
	spec.VLAN, spec.Addresses = id, prefixes(addresses...)
	return spec
}

// arpFrame asks who has an address, in a network of a port.
func arpFrame(vlan int, from, to string) []byte {
	f := []byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0x99, 2}
	if vlan >= 0 {
		f = append(f, 0x81, 0, byte(vlan>>8), byte(vlan))
	}
	f = append(f, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0x99, 2)
	f = append(f, netip.MustParseAddr(from).AsSlice()...)
	f = append(f, 0, 0, 0, 0, 0, 0)
	return append(f, netip.MustParseAddr(to).AsSlice()...)
}

// answeredIn says whether a frame is the kernel's answer by ARP for addr, with
// exactly the tag of a VLAN, -1: untagged.
func answeredIn(frame []byte, vlan int, addr string) bool {
	if vlan >= 0 {
		if binary.BigEndian.Uint32(frame[12:]) != 0x8100_0000|uint32(vlan) {
			return false
		}
		frame = frame[4:]
	}
	ip := netip.MustParseAddr(addr).AsSlice()
	return len(frame) >= 42 && binary.BigEndian.Uint16(frame[12:]) == unix.ETH_P_ARP && frame[21] == 2 && slices.Equal(frame[28:32], ip)
}

// Each network of a port has a twin that hears and says only what is its own.
func TestVLANsHaveTwins(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0), vlanNumber(100, "10.0.100.1/24"), vlanNumber(200, "10.0.200.1/24"))
	require.Subset(t, linkNames(t), []string{"sl-w0", "sl-w0.100", "sl-w0.200"})
	for _, c := range []struct {
		asked, answered int
		from, to        string
	}{
		{-1, -1, "10.0.0.2", "10.0.0.1"},
		{100, 100, "10.0.100.2", "10.0.100.1"},
		{0x6000 | 200, 200, "10.0.200.2", "10.0.200.1"}, // with a priority, which is lost
		{0xe000, -1, "10.0.0.3", "10.0.0.1"},            // a priority alone
	} {
		p.send(p.rings[1], packet.ClassNeighbour, 0, arpFrame(c.asked, c.from, c.to))
		p.receive(0, func(frame []byte) bool { return answeredIn(frame, c.answered, c.to) })
	}
	for i, want := range []uint64{2, 1, 1} {
		require.Equal(t, want, p.count(i).ToKernel, "twin %d", i)
	}
	p.send(p.rings[1], packet.ClassNeighbour, 0, arpFrame(300, "10.0.0.2", "10.0.0.1"))
	eventually(t, func() bool { return p.Counters().NoTwin == 1 }, "unknown VLAN counted")
}

// The same address in two networks is two hosts; a next hop carries its VLAN.
func TestMirrorVLANs(t *testing.T) {
	needNamespace(t)
	spec := vlanNumber(100, "10.0.100.1/24")
	spec.MTU = 1400
	p := startPath(t, Config{}, portNumber(0), spec)
	setNeighbour := func(twin int, addr, mac string) {
		ip := netip.MustParseAddr(addr)
		hw, err := net.ParseMAC(mac)
		require.NoError(t, err)
		require.NoError(t, netlink.NeighSet(&netlink.Neigh{LinkIndex: p.twins[twin].index, Family: familyOf(ip),
			IP: ip.AsSlice(), HardwareAddr: hw, State: unix.NUD_PERMANENT}))
	}
	setNeighbour(0, "10.0.100.2", macA) // not where the route leads
	setNeighbour(1, "10.0.100.2", macB)
	require.NoError(t, netlink.RouteAdd(route(p, 1, "203.0.113.0/24", "10.0.100.2")))
	for _, to := range []string{"10.0.100.2", "203.0.113.7"} {
		eventually(t, func() bool { return p.leads(to, macB) }, "%s resolved", to)
		id, _ := p.view().NextHop(netip.MustParseAddr(to), 0)
		hop, ok := p.hops.Load(id)
		require.True(t, ok)
		require.EqualValues(t, 0, hop.Port())
		require.True(t, hop.Tagged())
		require.EqualValues(t, 100, p.hops.VLAN(id))
		require.EqualValues(t, 1400, hop.MTU())
	}
	addNeighbour(t, p, "10.0.0.2", macA, unix.NUD_PERMANENT)
	eventually(t, func() bool { return p.leads("10.0.0.2", macA) }, "untagged host resolved")
	id, _ := p.view().NextHop(netip.MustParseAddr("10.0.0.2"), 0)
	hop, _ := p.hops.Load(id)
	require.False(t, hop.Tagged())
}

// The readers of one port's twins push into one ring; none of their frames is lost.
func TestTwinsShareARing(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0), vlanNumber(100, "10.0.100.1/24"), vlanNumber(200, "10.0.200.1/24"))
	const each = 200
	var pushers sync.WaitGroup
	for range p.twins {
		pushers.Go(func() {
			for range each {
				b := p.pool.Alloc()
				for !p.pump.push(b) {
					runtime.Gosched()
				}
			}
		})
	}
	got := 0
	eventually(t, func() bool {
		var burst packet.Burst
		n := p.rings[0].From[0].Pop(&burst, packet.BurstSize)
		if n > 0 {
			p.pool.Free(&burst, n)
		}
		got += n
		return got >= 3*each
	}, "all frames")
	pushers.Wait()
}

// Carrier, too, is the port's: all its twins follow, and no others.
func TestCarrierOfVLANs(t *testing.T) {
	needNamespace(t)
	p := startPath(t, Config{}, portNumber(0), vlanNumber(100, "10.0.100.1/24"), portNumber(1))
	running := func(name string) bool {
		link, err := netlink.LinkByName(name)
		require.NoError(t, err)
		return link.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
	}
	require.NoError(t, p.LinkChanged(0, false))
	eventually(t, func() bool { return !running("sl-w0") && !running("sl-w0.100") }, "carriers off")
	require.True(t, running("sl-w1"))
	require.NoError(t, p.LinkChanged(0, true))
	eventually(t, func() bool { return running("sl-w0") && running("sl-w0.100") }, "carriers on")
}

func TestNetworkTakenTwice(t *testing.T) {
	rings := []*packet.KernelRings{packet.NewKernelRings(1, 8)}
	require.NoError(t, check([]PortSpec{portNumber(0), vlanNumber(1), vlanNumber(4094)}, rings))
	require.ErrorContains(t, check([]PortSpec{vlanNumber(7), vlanNumber(7)}, rings), "VLAN 7")
	require.ErrorContains(t, check([]PortSpec{vlanNumber(4095)}, rings), "VLAN 4095")
}
